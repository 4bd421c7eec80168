using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured;

/// <summary>
/// Removes heads of attention (Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?", arXiv 1905.10650): their columns of queries, keys and values and their rows of the output
/// projection. Where several query heads share keys and values (grouped-query attention), a key-value head goes with all its query heads, or, with <c>unit: query_heads</c>, query heads go, as
/// many from each group.
/// </summary>
[Technique("prune.heads")]
[Description("Removes heads of attention: with grouped queries whole groups, or query heads within them.")]
public sealed class HeadPruning : Technique<HeadPruning.Options>
{
    /// <summary>Options of <c>prune.heads</c>.</summary>
    public sealed record Options : StructuredPruningOptions
    {
        /// <summary>Heads are few: <c>round_to</c> is 1.</summary>
        public Options() => RoundTo = 1;

        /// <summary>What goes: <c>heads</c> (default), or <c>query_heads</c> of grouped-query attention, whose keys and values stay.</summary>
        public HeadUnit Unit { get; init; } = HeadUnit.Heads;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new StructuredPruner(options, [options.Unit == HeadUnit.Heads ? AxisKind.Heads : AxisKind.QueryHeads], context).Prune(model);
    }
}

/// <summary>What <c>prune.heads</c> removes.</summary>
public enum HeadUnit
{
    /// <summary>Heads; of grouped-query attention key-value heads, each with its query heads.</summary>
    Heads,

    /// <summary>Query heads of grouped-query attention, the same of each group.</summary>
    QueryHeads,
}
