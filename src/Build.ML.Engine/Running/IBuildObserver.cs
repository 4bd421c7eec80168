using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine;

/// <summary>Watches a build. Calls come from several threads, one at a time.</summary>
public interface IBuildObserver
{
    /// <summary>An item begins: it is not up to date.</summary>
    void ItemStarted(WorkItem item);

    /// <summary>A running item moved on.</summary>
    /// <param name="item">The item.</param>
    /// <param name="progress">How far it is.</param>
    /// <param name="remaining">Estimated time to its end; null while nothing can be said.</param>
    void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining);

    /// <summary>An item ended; also called for items that were up to date, skipped or cancelled.</summary>
    void ItemFinished(WorkItem item, ItemOutcome outcome);

    /// <summary>An error, a warning or a fact.</summary>
    void Report(WorkItem item, Diagnostic diagnostic);

    /// <summary>A line of text for the user, such as the lines of the final table.</summary>
    void Text(WorkItem item, string line);
}
