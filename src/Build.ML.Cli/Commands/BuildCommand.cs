using System.CommandLine;
using Build.ML.Cli.Output;
using Build.ML.Cli.Progress;
using Build.ML.Cli.Running;
using Build.ML.Engine;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Builds recipes.</summary>
[Command("build")]
public sealed class BuildCommand : ICliCommand
{
    private readonly EngineArguments _engine = new();
    private readonly StepArguments _steps = new("Only this step and what it needs. May be given several times.");

    /// <inheritdoc/>
    public string Description => "Run the steps of recipes that are not up to date, measure, check the gates, place the outputs.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        _engine.AddTo(command);
        _steps.AddTo(command);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var start = invocation.Context.TimeProvider.GetTimestamp();
        using var engine = new BuildEngine(_engine.Options(invocation));
        var plan = engine.Plan(_engine.Recipes(invocation), invocation.Cancellation);
        var targets = _steps.Select(invocation, plan);
        var outcome = BuildProgress.Watch(invocation, plan, observer => engine.RunAll(plan, observer, targets, invocation.Cancellation));
        var result = Describe(plan, outcome, invocation.Context.TimeProvider.GetElapsedTime(start));
        invocation.Show(result, Render);
        invocation.Cancellation.ThrowIfCancellationRequested();
        return outcome.Succeeded ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static BuildResult Describe(Plan plan, BuildOutcome outcome, TimeSpan elapsed)
    {
        var outcomes = outcome.Items.ToDictionary(i => i.ItemId, StringComparer.Ordinal);
        WorkItem[] items = [.. plan.Items.Where(i => outcomes.ContainsKey(i.Id))];
        return new(
            outcome.Succeeded,
            elapsed.TotalSeconds,
            new(outcome.Count(ItemStatus.Ran), outcome.Count(ItemStatus.FromCache), outcome.Count(ItemStatus.UpToDate),
                outcome.Count(ItemStatus.Failed), outcome.Count(ItemStatus.Skipped), outcome.Count(ItemStatus.Cancelled)),
            [.. items.Select(i => new ItemResult(
                i.Id, i.Recipe, i.Name, i.Kind, i.Technique, outcomes[i.Id].Status, outcomes[i.Id].Duration.TotalSeconds, i.Directory))],
            [.. items.Where(i => i.Kind == WorkItemKind.Evaluate && outcomes[i.Id].Succeeded).Select(i => new ModelFigures(
                i.Recipe, Path.GetFileNameWithoutExtension(i.Name), Figure.In(i.Directory)))],
            [.. items.Where(i => i.Kind == WorkItemKind.Output && outcomes[i.Id].Succeeded).SelectMany(i => i.Files)]);
    }

    private static void Render(BuildResult result, IAnsiConsole console)
    {
        var counts = result.Counts;
        var all = result.Items.Count;
        (int Count, string What)[] parts =
        [
            (counts.Ran, "ran"), (counts.FromCache, "from the cache"), (counts.UpToDate, "up to date"),
            (counts.Failed, "failed"), (counts.Skipped, "skipped"), (counts.Cancelled, "stopped"),
        ];
        console.WriteLine(counts.UpToDate == all
            ? $"Everything is up to date: none of {all} items was run. {Figures.Duration(TimeSpan.FromSeconds(result.Seconds))}"
            : $"{all} items: {string.Join(", ", parts.Where(p => p.Count > 0).Select(p => $"{p.Count} {p.What}"))}. "
                + Figures.Duration(TimeSpan.FromSeconds(result.Seconds)));
        foreach (var output in result.Outputs)
        {
            console.WriteLine($"-> {output}");
        }
    }

    private sealed record BuildResult(
        bool Succeeded, double Seconds, StatusCounts Counts, IReadOnlyList<ItemResult> Items, IReadOnlyList<ModelFigures> Metrics,
        IReadOnlyList<string> Outputs);

    private sealed record StatusCounts(int Ran, int FromCache, int UpToDate, int Failed, int Skipped, int Cancelled);

    private sealed record ItemResult(
        string Id, string Recipe, string Name, WorkItemKind Kind, string Technique, ItemStatus Status, double Seconds, string Directory);

    private sealed record ModelFigures(string Recipe, string Model, IReadOnlyList<Figure> Figures);
}
