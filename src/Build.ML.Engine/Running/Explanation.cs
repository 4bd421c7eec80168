using System.Collections.Immutable;

namespace Build.ML.Engine;

/// <summary>Why an item would run, or why not.</summary>
/// <param name="ItemId">The item.</param>
/// <param name="WouldRun">
/// Whether the item's directory lacks the result. Such an item may still come from the cache, and an item whose needs would run may turn out
/// to be up to date when they yield what they did before.
/// </param>
/// <param name="Reasons">
/// Sentences: what changed since the last run (one an entry of the fingerprint that was added, removed or changed), or that nothing did.
/// </param>
public sealed record Explanation(string ItemId, bool WouldRun, ImmutableArray<string> Reasons);
