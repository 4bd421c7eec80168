using System.CommandLine;
using System.Globalization;
using Build.ML.Cli.Models;
using Build.ML.Cli.Output;
using Build.ML.Graph;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Compares two models.</summary>
[Command("diff")]
public sealed class DiffCommand : ICliCommand
{
    private const int ShownRows = 40;

    private readonly Argument<string> _before = new("before") { Description = "An ONNX file." };
    private readonly Argument<string> _after = new("after") { Description = "Another ONNX file." };
    private readonly Option<bool> _all = new("--all") { Description = $"List every change, not only the first {ShownRows} of each kind." };

    /// <inheritdoc/>
    public string Description => "Compare two models: nodes, operators, weights, types, sizes, and how far weights moved.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        command.Add(_before);
        command.Add(_after);
        command.Add(_all);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var (beforeFile, afterFile) = (invocation.GetPath(_before), invocation.GetPath(_after));
        using var before = Model.Open(beforeFile);
        using var after = Model.Open(afterFile);
        var shown = invocation.Get(_all) ? int.MaxValue : ShownRows;
        invocation.Show(
            ModelDifference.Between(before, beforeFile, after, afterFile, invocation.Cancellation), (d, console) => Render(d, console, shown));
        return ExitCodes.Success;
    }

    private static void Render(ModelDifference difference, IAnsiConsole console, int shown)
    {
        var (before, after) = (difference.Before, difference.After);
        console.Write(Tables.Create("", ">before", ">after", ">ratio")
            .Row("file", Path.GetFileName(before.File), Path.GetFileName(after.File), "")
            .Row("size", Figures.Bytes(before.Bytes), Figures.Bytes(after.Bytes), Ratio(before.Bytes, after.Bytes))
            .Row("weights", Figures.Bytes(before.WeightBytes), Figures.Bytes(after.WeightBytes), Ratio(before.WeightBytes, after.WeightBytes))
            .Row("parameters", Figures.Count(before.Parameters), Figures.Count(after.Parameters), Ratio(before.Parameters, after.Parameters))
            .Row("nodes", Figures.Count(before.Nodes), Figures.Count(after.Nodes), Ratio(before.Nodes, after.Nodes)));
        if (difference.AreEqual)
        {
            console.WriteLine();
            console.WriteLine("The models have the same nodes, weights, inputs and outputs.");
            return;
        }

        Section("Inputs and outputs", ["", "name", "before", "after"],
            difference.Signature.Select(s => new[] { s.Kind, s.Name, s.Before ?? "-", s.After ?? "-" }));
        Section("Operators", ["operator", ">before", ">after"],
            difference.Operators.Select(o => new[] { o.Operator, Figures.Count(o.Before), Figures.Count(o.After) }));
        Section("Nodes", ["", "name", "operator", "how"],
            difference.Nodes.Select(n => new[] { Sign(n.Change), n.Name, n.Operator, string.Join("; ", n.Details) }));
        Section($"Weights ({difference.EqualWeights} are equal)", ["", "name", "before", "after", ">max |diff|", ">relative"],
            difference.Weights.Select(w => new[] { Sign(w.Change), w.Name, w.Before ?? "-", w.After ?? "-", Number(w.MaxAbsDifference), Number(w.RelativeError) }));

        void Section(string title, string[] headings, IEnumerable<string[]> rows)
        {
            var all = rows.ToList();
            if (all.Count == 0)
            {
                return;
            }

            console.Heading(title);
            var table = Tables.Create(headings);
            all.Take(shown).ToList().ForEach(r => table.Row(r));
            console.Write(table);
            if (all.Count > shown)
            {
                console.WriteLine($"... and {all.Count - shown} more (--all lists them)");
            }
        }
    }

    private static string Sign(ChangeKind change) => change switch { ChangeKind.Added => "+", ChangeKind.Removed => "-", _ => "~" };

    private static string Ratio(double before, double after) =>
        before == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{after / before:0.000}");

    private static string Number(double? value) => value is { } number ? number.ToString("G4", CultureInfo.InvariantCulture) : "";
}
