using System.CommandLine;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Build.ML.Engine;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Says what a build would do.</summary>
[Command("plan")]
public sealed class PlanCommand : ICliCommand
{
    private readonly EngineArguments _engine = new();

    /// <inheritdoc/>
    public string Description => "Show what a build would run, in order, and why; runs nothing.";

    /// <inheritdoc/>
    public void Define(Command command) => _engine.AddTo(command);

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        using var engine = new BuildEngine(_engine.Options(invocation));
        var plan = engine.Plan(_engine.Recipes(invocation), invocation.Cancellation);
        invocation.Show(new Listing([.. plan.Items.Zip(engine.Explain(plan), PlannedItem.Of)]), Render);
        return ExitCodes.Success;
    }

    private static void Render(Listing listing, IAnsiConsole console)
    {
        var table = Tables.Create("item", "does", "state", "why");
        foreach (var item in listing.Items)
        {
            table.Row(item.Id, item.Technique.Length > 0 ? item.Technique : item.Kind.ToString().ToLowerInvariant(),
                item.WouldRun ? "runs" : "up to date", item.WouldRun ? Why(item.Reasons) : "");
        }

        console.Write(table);
        var running = listing.Items.Count(i => i.WouldRun);
        console.WriteLine();
        console.WriteLine(running == 0 ? "Everything is up to date." : $"{running} of {listing.Items.Count} items would run, or come from the cache.");
    }

    private static string Why(IReadOnlyList<string> reasons) => reasons.Count > 1 ? $"{reasons[0]}; {reasons.Count - 1} more" : string.Concat(reasons);

    private sealed record Listing(IReadOnlyList<PlannedItem> Items);
}
