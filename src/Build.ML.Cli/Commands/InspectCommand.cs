using System.Collections.Immutable;
using System.CommandLine;
using Build.ML.Cli.Models;
using Build.ML.Cli.Output;
using Build.ML.Engine.Inspection;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Text;
using Build.ML.OnnxRuntime;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Says what a model is made of.</summary>
[Command("inspect")]
public sealed class InspectCommand : ICliCommand
{
    private readonly Argument<string> _model = new("model") { Description = "An ONNX file." };
    private readonly Option<bool> _text = new("--text") { Description = "Print the graph itself, one node a line." };
    private readonly Option<bool> _quantization = new("--quantization")
    {
        Description = "Show layer by layer how weights are stored, what they are multiplied with, and which kernel ONNX Runtime runs on this machine.",
    };

    private readonly Option<bool> _coupling = new("--coupling")
    {
        Description = "Show the axes of coupled channels, heads and neurons: which weights each runs along, and why positions of it cannot be removed.",
    };

    private readonly Option<string?> _source = new("--source") { Description = "With --quantization: the model it was made from, to tell the error of each weight." };

    /// <inheritdoc/>
    public string Description => "Show a model's inputs, outputs, operators, weights, types and sizes.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        command.Add(_model);
        command.Add(_text);
        command.Add(_quantization);
        command.Add(_source);
        command.Add(_coupling);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var file = invocation.GetPath(_model);
        var source = invocation.Get(_source);
        if (source is not null && !invocation.Get(_quantization))
        {
            throw new DiagnosticException("BML8001", "--source was given without --quantization, which it belongs to. Add --quantization, or compare the models with 'buildml diff'.");
        }

        using var model = Model.Open(file);
        if (invocation.Get(_quantization))
        {
            using var original = source is null ? null : Model.Open(invocation.Context.FullPath(source));
            var layers = new QuantizationInspection(new OnnxRuntimeInference()).Layers(model, original);
            invocation.Show(new Quantization(file, layers), (shown, console) => QuantizationTables.Render(shown.Layers, original is not null, console));
        }
        else if (invocation.Get(_coupling))
        {
            var axes = ChannelCoupling.Analyze(model).Axes.Select(CoupledAxis.Of).ToImmutableArray();
            invocation.Show(new Coupling(file, axes), (shown, console) => CouplingTables.Render(shown.Axes, console));
        }
        else if (invocation.Get(_text))
        {
            // Not through the console, which would break lines at the width of the terminal.
            invocation.Show(new Listing(file, model.ToText(types: true)), (listing, _) => invocation.Context.Output.Write(listing.Text));
        }
        else
        {
            invocation.Show(ModelSummary.Of(model, file), Render);
        }

        return ExitCodes.Success;
    }

    private static void Render(ModelSummary summary, IAnsiConsole console)
    {
        var facts = new Grid().AddColumn().AddColumn();
        Fact("file", Path.GetFileName(summary.File));
        Fact("size", $"{Figures.Bytes(summary.Bytes)} ({Figures.Count(summary.Bytes)} bytes)");
        Fact("format", $"IR {summary.IrVersion}, {string.Join(", ", summary.OperatorSets.Select(o => $"{Domain(o.Domain)} {o.Version}"))}");
        Fact("producer", summary.Producer);
        Fact("nodes", Figures.Count(summary.Nodes));
        Fact("parameters", Figures.Count(summary.Parameters));
        Fact("functions", string.Join(", ", summary.Functions));
        summary.Metadata.ToList().ForEach(m => Fact(m.Key, Shorten(m.Value)));
        console.Write(facts);
        Table("Inputs and outputs", ["", "name", "type"],
            [.. summary.Inputs.Select(i => new[] { "in", i.Name, i.Type }), .. summary.Outputs.Select(o => new[] { "out", o.Name, o.Type })]);
        Table("Operators", ["operator", ">count"],
            summary.Operators.Select(o => new[] { o.Domain.Length > 0 ? $"{o.Domain}.{o.Operator}" : o.Operator, Figures.Count(o.Count) }));
        Table("Weights by type", ["type", ">tensors", ">elements", ">bytes"],
            summary.Weights.Select(w => new[] { w.Type, Figures.Count(w.Tensors), Figures.Count(w.Elements), Figures.Bytes(w.Bytes) }));
        Table("Largest weights", ["name", "type", ">bytes"], summary.Largest.Select(w => new[] { w.Name, w.Type, Figures.Bytes(w.Bytes) }));

        void Fact(string name, string text)
        {
            if (text.Length > 0)
            {
                facts.AddRow(new Text(name), new Text(text));
            }
        }

        void Table(string title, string[] headings, IEnumerable<string[]> rows)
        {
            console.Heading(title);
            var table = Tables.Create(headings);
            rows.ToList().ForEach(r => table.Row(r));
            console.Write(table);
        }
    }

    private static string Domain(string domain) => domain.Length > 0 ? domain : "opset";

    private static string Shorten(string text) => text.Length <= 100 ? text.ReplaceLineEndings(" ") : text[..100].ReplaceLineEndings(" ") + " …";

    private sealed record Listing(string File, string Text);

    private sealed record Coupling(string File, ImmutableArray<CoupledAxis> Axes);

    private sealed record Quantization(string File, ImmutableArray<QuantizedLayer> Layers);
}
