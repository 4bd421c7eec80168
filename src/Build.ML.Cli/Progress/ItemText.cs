using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Cli.Output;
using Build.ML.Engine;

namespace Build.ML.Cli.Progress;

/// <summary>What is said of an item.</summary>
internal static class ItemText
{
    /// <summary>Its id and what it does: <c>ocr/int8 (quantize.static)</c>.</summary>
    public static string Title(WorkItem item) => item.Technique.Length > 0 ? $"{item.Id} ({item.Technique})" : item.Id;

    /// <summary>How it ended; null where there is nothing to say.</summary>
    public static string? End(WorkItem item, ItemOutcome outcome) => outcome.Status switch
    {
        ItemStatus.Ran => $"{Title(item)}: ran in {Figures.Duration(outcome.Duration)}",
        ItemStatus.FromCache => $"{Title(item)}: from the cache",
        ItemStatus.Failed => $"{Title(item)}: FAILED after {Figures.Duration(outcome.Duration)}",
        ItemStatus.Cancelled => $"{Title(item)}: stopped",
        ItemStatus.Skipped => $"{Title(item)}: skipped, since what it needs failed",
        _ => null,
    };

    /// <summary>How far it is: <c>epoch 2/5, loss 0.183</c>.</summary>
    public static string Phase(StepProgress progress) =>
        progress.Loss is { } loss ? string.Create(CultureInfo.InvariantCulture, $"{progress.Phase}, loss {loss:G4}") : progress.Phase;
}
