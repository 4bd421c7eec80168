using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Normalization of each image by itself: over each channel (Ulyanov et al., Instance Normalization, 2016) or over groups of channels (Wu and He, Group Normalization, 2018), in
/// elementary steps that have gradients.
/// </summary>
[Gradients]
public sealed class InstanceNormalizationGradients : GradientTable
{
    /// <summary>Names the forms.</summary>
    public InstanceNormalizationGradients()
    {
        Form("InstanceNormalization", (n, op) => [Normalized(n, n.X.Size(1), op)]);
        Form("GroupNormalization", (n, op) => [Normalized(n, n.Int("num_groups", 1), op)]);
    }

    private static Value Normalized(Forward n, long groups, GraphOps op)
    {
        var x = op.Reshape(n.X, n.X.Size(0), groups, n.X.Count() / n.X.Size(0) / groups);
        var mean = op.ReduceMean(x, [2]);
        var centred = op.Sub(x, mean);
        var variance = op.ReduceMean(op.Square(centred), [2]);
        var normal = op.Reshape(op.Div(centred, op.Sqrt(op.Add(variance, n.Float("epsilon", 1e-5f)))), n.X.Sizes().AsSpan());
        return op.Add(
            op.Mul(normal, BatchNormalizationGradients.OverChannels(n.Input(1), n.X, op)), BatchNormalizationGradients.OverChannels(n.Input(2), n.X, op));
    }
}
