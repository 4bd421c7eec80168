using Build.ML.Abstractions.Techniques;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Cli.Progress;

/// <summary>Passes on diagnostics and nothing else.</summary>
/// <param name="report">Takes them.</param>
internal sealed class DiagnosticObserver(Action<Diagnostic> report) : IBuildObserver
{
    public void ItemStarted(WorkItem item)
    {
    }

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
    {
    }

    public void ItemFinished(WorkItem item, ItemOutcome outcome)
    {
    }

    public void Report(WorkItem item, Diagnostic diagnostic) => report(diagnostic);

    public void Text(WorkItem item, string line)
    {
    }
}
