using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine;

/// <summary>How an item ended.</summary>
/// <param name="ItemId">The item.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Duration">Wall time it took.</param>
/// <param name="Diagnostics">Errors, warnings and facts, in the order they came; each was also given to the observer.</param>
public sealed record ItemOutcome(string ItemId, ItemStatus Status, TimeSpan Duration, ImmutableArray<Diagnostic> Diagnostics)
{
    /// <summary>Whether the item's result is in place.</summary>
    public bool Succeeded => Status is ItemStatus.Ran or ItemStatus.FromCache or ItemStatus.UpToDate;
}
