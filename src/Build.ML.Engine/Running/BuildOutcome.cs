using System.Collections.Immutable;

namespace Build.ML.Engine;

/// <summary>How a build ended.</summary>
/// <param name="Items">One outcome an item, in the plan's order.</param>
public sealed record BuildOutcome(ImmutableArray<ItemOutcome> Items)
{
    /// <summary>Whether every item's result is in place.</summary>
    public bool Succeeded => Items.All(i => i.Succeeded);

    /// <summary>Number of items that ended so.</summary>
    public int Count(ItemStatus status) => Items.Count(i => i.Status == status);
}
