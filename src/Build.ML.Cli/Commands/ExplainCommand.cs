using System.CommandLine;
using Build.ML.Cli.Running;
using Build.ML.Engine;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Says why items would run: their fingerprints compared with those of the last run.</summary>
[Command("explain")]
public sealed class ExplainCommand : ICliCommand
{
    private readonly EngineArguments _engine = new();
    private readonly StepArguments _steps = new("Only this step. May be given several times. Default: all that would run.");

    /// <inheritdoc/>
    public string Description => "Show all that changed since the last run: the difference of the fingerprints, entry by entry.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        _engine.AddTo(command);
        _steps.AddTo(command);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        using var engine = new BuildEngine(_engine.Options(invocation));
        var plan = engine.Plan(_engine.Recipes(invocation), invocation.Cancellation);
        var wanted = _steps.Select(invocation, plan);
        var items = plan.Items.Zip(engine.Explain(plan), PlannedItem.Of).Where(i => wanted?.Contains(i.Id) ?? true).ToList();
        invocation.Show(new Listing(items), (listing, console) => Render(listing, console, wanted is not null));
        return ExitCodes.Success;
    }

    private static void Render(Listing listing, IAnsiConsole console, bool isSelection)
    {
        foreach (var item in listing.Items.Where(i => isSelection || i.WouldRun))
        {
            console.Write(new Text(item.Id, new Style(decoration: Decoration.Bold)));
            console.WriteLine(item.WouldRun ? " would run, or come from the cache:" : " is up to date:");
            foreach (var reason in item.Reasons)
            {
                console.WriteLine($"  {reason}");
            }
        }

        var done = listing.Items.Count(i => !i.WouldRun);
        if (!isSelection)
        {
            console.WriteLine($"{done} of {listing.Items.Count} items are up to date.");
        }
    }

    private sealed record Listing(IReadOnlyList<PlannedItem> Items);
}
