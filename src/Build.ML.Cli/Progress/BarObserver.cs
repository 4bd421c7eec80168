using Build.ML.Abstractions.Techniques;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Spectre.Console;

namespace Build.ML.Cli.Progress;

/// <summary>Progress in place: a bar for each running item, and one for the whole; what is done goes up as a line.</summary>
/// <param name="bars">The bars.</param>
/// <param name="console">Takes lines, above the bars.</param>
/// <param name="report">Takes diagnostics.</param>
/// <param name="plan">What is built.</param>
internal sealed class BarObserver(ProgressContext bars, IAnsiConsole console, Action<Diagnostic> report, Plan plan) : IBuildObserver
{
    private readonly Dictionary<string, ProgressTask> _running = new(StringComparer.Ordinal);
    private readonly ProgressTask _all = bars.AddTask($"{plan.Items.Count} items", maxValue: plan.Items.Count);

    public void ItemStarted(WorkItem item) => _running[item.Id] = bars.AddTaskBefore(Markup.Escape(ItemText.Title(item)), _all, maxValue: 1);

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
    {
        if (_running.TryGetValue(item.Id, out var bar))
        {
            bar.Value = Math.Min(progress.Fraction, 0.999); // a full bar would vanish before the item has ended
            bar.Description = Markup.Escape($"{ItemText.Title(item)} {ItemText.Phase(progress)}");
            RemainingColumn.Set(bar, remaining);
        }
    }

    public void ItemFinished(WorkItem item, ItemOutcome outcome)
    {
        if (_running.Remove(item.Id, out var bar))
        {
            bar.Value = 1;
            bar.StopTask();
        }

        _all.Increment(1);
        if (ItemText.End(item, outcome) is { } line)
        {
            console.WriteLine(line, outcome.Status == ItemStatus.Failed ? new Style(Color.Red) : Style.Plain);
        }
    }

    public void Report(WorkItem item, Diagnostic diagnostic) => report(diagnostic);

    public void Text(WorkItem item, string line) => console.WriteLine(line);
}
