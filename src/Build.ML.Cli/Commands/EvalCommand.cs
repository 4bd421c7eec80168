using System.CommandLine;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Build.ML.Engine;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Reporting;
using Build.ML.Graph.Diagnostics;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Measures a model file as a recipe measures its steps.</summary>
[Command("eval")]
public sealed class EvalCommand : ICliCommand
{
    private readonly Argument<string> _model = new("model") { Description = "An ONNX file with the inputs and outputs of the recipe's model." };
    private readonly EngineArguments _engine = new();
    private readonly Option<string?> _data = new("--data") { Description = "Data set of the recipe to measure on. Default: that of its 'evaluate:'." };

    private readonly Option<string[]> _metrics = new("--metric", "-m")
    {
        Description = "A metric to take. May be given several times. Default: those of the recipe's 'evaluate:'.",
    };

    /// <inheritdoc/>
    public string Description => "Measure a model file with the data and metrics of a recipe, beside the recipe's source model.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        command.Add(_model);
        _engine.AddTo(command);
        command.Add(_data);
        command.Add(_metrics);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        if (_engine.Recipes(invocation) is not [var recipe])
        {
            throw new DiagnosticException("BML8008", "The folder has several recipes; name the one whose data and metrics are meant.", new(invocation.Context.Folder));
        }

        using var engine = new BuildEngine(_engine.Options(invocation));
        var evaluation = new FileEvaluation(recipe, invocation.GetPath(_model)) { Data = invocation.Get(_data), Metrics = [.. invocation.Get(_metrics)!] };
        var figures = engine.Evaluate(evaluation, new NoProgress(), invocation.Report, invocation.Cancellation);
        invocation.Show(new Result(evaluation.ModelFile, recipe, [.. figures.Select(Figure.Of)]), Render);
        return ExitCodes.Success;
    }

    private static void Render(Result result, IAnsiConsole console)
    {
        var table = Tables.Create("metric", ">source", ">" + Path.GetFileName(result.Model), ">ratio", "");
        foreach (var figure in result.Figures)
        {
            var source = figure.SourceValue;
            table.Row(figure.Name, source is { } s ? FigureText(figure with { Value = s }) : "", FigureText(figure),
                source is { } o && o != 0 ? Figures.Digits(figure.Value / o) : "", figure.Note);
        }

        console.Write(table);
    }

    private static string FigureText(Figure figure) => FigureFormat.Of(new MetricValue(figure.Name, figure.Value, figure.Unit, figure.Direction));

    private sealed class NoProgress : IProgress<StepProgress>
    {
        public void Report(StepProgress value)
        {
        }
    }

    private sealed record Result(string Model, string Recipe, IReadOnlyList<Figure> Figures);
}
