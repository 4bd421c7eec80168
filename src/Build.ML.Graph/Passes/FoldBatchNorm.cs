using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Folds BatchNormalization at inference, y = γ·(x − μ)/√(σ² + ε) + β (Ioffe and Szegedy 2015), into the Conv, ConvTranspose or Gemm before it: with
/// s = γ/√(σ² + ε) per channel, W ← s·W and b ← s·(b − μ) + β. Computed in double.
/// </summary>
[GraphPass("fold-batch-norm", Order = 300)]
public sealed class FoldBatchNorm : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var folded = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                if (node.Is("BatchNormalization") && TryFold(node))
                {
                    folded++;
                }
            }
        }

        return folded;
    }

    private static bool TryFold(Node node)
    {
        // Before version 9, spatial = 0 means statistics per element; before version 7, is_test = 0 means training.
        if (node.Int("training_mode", 0) != 0 || node.Int("spatial", 1) != 1 || node.Outputs.Skip(1).Any(o => !o.IsUnused)
            || LinearLayer.Before(node.Input(0), node) is not { Rank: not null } layer
            || Read(node, 1, layer) is not { } gamma || Read(node, 2, layer) is not { } beta
            || Read(node, 3, layer) is not { } mean || Read(node, 4, layer) is not { } variance)
        {
            return false;
        }

        var epsilon = node.Float("epsilon", 1e-5f);
        var (scale, shift) = (new double[layer.Channels], new double[layer.Channels]);
        for (var i = 0; i < scale.Length; i++)
        {
            scale[i] = gamma[i] / Math.Sqrt((double)variance[i] + epsilon);
            shift[i] = beta[i] - mean[i] * scale[i];
        }

        if (!scale.All(double.IsFinite) || !node.TryBypass(node.Outputs[0], node.Input(0)!))
        {
            return false;
        }

        layer.Absorb(scale, shift);
        return true;
    }

    private static float[]? Read(Node node, int input, LinearLayer layer) =>
        node.Input(input)?.Constant is { Type: DataType.Float } tensor && tensor.Count == layer.Channels ? tensor.ToArray<float>() : null;
}
