using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Running;

/// <summary>Lets one call at a time through.</summary>
internal sealed class SerialObserver(IBuildObserver inner) : IBuildObserver
{
    private readonly Lock _lock = new();

    public void ItemStarted(WorkItem item) => Call(() => inner.ItemStarted(item));

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining) => Call(() => inner.ItemProgress(item, progress, remaining));

    public void ItemFinished(WorkItem item, ItemOutcome outcome) => Call(() => inner.ItemFinished(item, outcome));

    public void Report(WorkItem item, Diagnostic diagnostic) => Call(() => inner.Report(item, diagnostic));

    public void Text(WorkItem item, string line) => Call(() => inner.Text(item, line));

    private void Call(Action call)
    {
        lock (_lock)
        {
            call();
        }
    }
}
