using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Cli.Output;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Spectre.Console;

namespace Build.ML.Cli.Progress;

/// <summary>Progress as lines of a log: starts, ends, and now and then how far a long item is.</summary>
/// <param name="console">Takes the lines.</param>
/// <param name="report">Takes diagnostics.</param>
/// <param name="time">Clock.</param>
internal sealed class LineObserver(IAnsiConsole console, Action<Diagnostic> report, TimeProvider time) : IBuildObserver
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);
    private readonly Dictionary<string, long> _said = new(StringComparer.Ordinal);

    public void ItemStarted(WorkItem item) => _said[item.Id] = time.GetTimestamp();

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
    {
        if (!_said.TryGetValue(item.Id, out var last) || time.GetElapsedTime(last) < Pause)
        {
            return;
        }

        _said[item.Id] = time.GetTimestamp();
        var rest = remaining is { } left ? $", {Figures.Duration(left)} left" : "";
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{item.Id}: {100 * progress.Fraction:0} % {ItemText.Phase(progress)}{rest}"));
    }

    public void ItemFinished(WorkItem item, ItemOutcome outcome)
    {
        if (ItemText.End(item, outcome) is { } line)
        {
            console.WriteLine(line);
        }
    }

    public void Report(WorkItem item, Diagnostic diagnostic) => report(diagnostic);

    public void Text(WorkItem item, string line) => console.WriteLine(line);
}
