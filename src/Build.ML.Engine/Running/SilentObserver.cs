using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Running;

/// <summary>Watches nothing: for items whose outcome says all.</summary>
internal sealed class SilentObserver : IBuildObserver
{
    public static SilentObserver Instance { get; } = new();

    public void ItemStarted(WorkItem item)
    {
    }

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
    {
    }

    public void ItemFinished(WorkItem item, ItemOutcome outcome)
    {
    }

    public void Report(WorkItem item, Diagnostic diagnostic)
    {
    }

    public void Text(WorkItem item, string line)
    {
    }
}
