using Build.ML.Abstractions.Techniques;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Build.ML.Worker.Protocol;

namespace Build.ML.Worker;

/// <summary>Turns what the engine says into events of a request. Errors are left out: the request's end carries them.</summary>
/// <param name="requestId">The request.</param>
/// <param name="replies">Where to.</param>
public sealed class ReplyObserver(long requestId, ReplyWriter replies) : IBuildObserver
{
    /// <inheritdoc/>
    public void ItemStarted(WorkItem item) => replies.Message(requestId, $"  {item.Id}: {item.Technique} begins", important: false);

    /// <inheritdoc/>
    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining) =>
        replies.Progress(requestId, progress.Fraction, progress.Phase, remaining);

    /// <inheritdoc/>
    public void ItemFinished(WorkItem item, ItemOutcome outcome)
    {
        // The request's end says it.
    }

    /// <inheritdoc/>
    public void Report(WorkItem item, Diagnostic diagnostic)
    {
        if (diagnostic.Severity != Severity.Error)
            replies.Diagnostic(requestId, diagnostic);
    }

    /// <inheritdoc/>
    public void Text(WorkItem item, string line) => replies.Message(requestId, line, important: true);
}
