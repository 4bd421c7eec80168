using System.ComponentModel;
using System.Numerics.Tensors;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The Euclidean norm of the weights that make a position (He et al. 2018, "Soft Filter Pruning", arXiv 1808.06866), over the mean of the layer's positions; where several layers make it, as
/// in a residual stream, the mean of these ratios.
/// </summary>
[Importance("l2")]
[Description("Euclidean norm of the weights that make a channel.")]
public sealed record L2Importance : Importance
{
    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context) =>
        WeightNorms.Of(context, static (weights, squares) => TensorPrimitives.Multiply(weights, weights, squares), Math.Sqrt);
}
