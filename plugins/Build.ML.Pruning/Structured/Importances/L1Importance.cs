using System.ComponentModel;
using System.Numerics.Tensors;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The sum of magnitudes of the weights that make a position (Li et al. 2017, "Pruning Filters for Efficient ConvNets", arXiv 1608.08710), over the mean of the layer's positions; where
/// several layers make it, as in a residual stream, the mean of these ratios.
/// </summary>
[Importance("l1")]
[Description("Sum of magnitudes of the weights that make a channel.")]
public sealed record L1Importance : Importance
{
    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context) =>
        WeightNorms.Of(context, static (weights, magnitudes) => TensorPrimitives.Abs(weights, magnitudes), static sum => sum);
}
