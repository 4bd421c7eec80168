using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured;

/// <summary>
/// Removes channels: of convolutions, with all that is coupled to them by residual connections, concatenations, groups and depthwise layers (Li et al. 2017, arXiv 1608.08710; Fang et al.
/// 2023, "DepGraph", arXiv 2301.12900), and the width of transformers' residual streams.
/// </summary>
[Technique("prune.channels")]
[Description("Removes channels of convolutions and of residual streams, from every tensor that has them.")]
public sealed class ChannelPruning : Technique<ChannelPruning.Options>
{
    /// <summary>Options of <c>prune.channels</c>.</summary>
    public sealed record Options : StructuredPruningOptions;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context) => new StructuredPruner(options, [AxisKind.Channel, AxisKind.Hidden], context).Prune(model);
}
