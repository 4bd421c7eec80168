using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Folds Mul, Div, Add and Sub by a constant per channel (or one for all) into the Conv, ConvTranspose, Gemm or MatMul before them:
/// s·(W·x + b) + t = (s·W)·x + (s·b + t). A MatMul takes factors only.
/// </summary>
[GraphPass("fuse-scale-into-linear", Order = 310)]
public sealed class FuseScaleIntoLinear : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var fused = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                if (node is { Domain: "", OpType: "Mul" or "Div" or "Add" or "Sub", Inputs.Count: 2 } && node.Attributes.Count == 0 && TryFuse(node))
                {
                    fused++;
                }
            }
        }

        return fused;
    }

    private static bool TryFuse(Node node)
    {
        // The constant may come first where the order does not matter, or for c − x, which is a factor of −1 and an offset.
        var at = node.Input(1)?.Constant is not null ? 0 : 1;
        if ((at == 1 && node.OpType == "Div") || LinearLayer.Before(node.Input(at), node) is not { } layer
            || ReadChannels(node.Input(1 - at)!, layer) is not { } constant)
        {
            return false;
        }

        var scale = node.OpType switch
        {
            "Mul" => constant,
            "Div" => Array.ConvertAll(constant, c => 1 / c),
            "Sub" when at == 1 => Array.ConvertAll(constant, _ => -1.0),
            _ => null,
        };
        var shift = node.OpType switch
        {
            "Add" => constant,
            "Sub" when at == 0 => Array.ConvertAll(constant, c => -c),
            "Sub" => constant,
            _ => null,
        };
        if ((shift is not null && layer.Rank is null) || scale?.All(double.IsFinite) == false || !node.TryBypass(node.Outputs[0], node.Input(at)!))
        {
            return false;
        }

        layer.Absorb(scale, shift);
        return true;
    }

    /// <summary>The constant for each channel, if it has one element or is 1 in all dimensions but the channels', and does not enlarge the output.</summary>
    private static double[]? ReadChannels(Value value, LinearLayer layer)
    {
        if (value.Constant is not { Type: DataType.Float } tensor || tensor.Rank > (layer.Rank ?? 1))
        {
            return null;
        }

        // The channel axis counted from the end, where broadcasting aligns.
        var fromEnd = layer.ChannelAxis < 0 ? 1 : layer.Rank!.Value - layer.ChannelAxis;
        if (tensor.Count == 1)
        {
            var single = (double)tensor.ToArray<float>()[0];
            return [.. Enumerable.Repeat(single, layer.Channels)];
        }

        return tensor.Count == layer.Channels && tensor.Rank >= fromEnd && tensor.Sizes[^fromEnd] == layer.Channels
            ? Array.ConvertAll(tensor.ToArray<float>(), v => (double)v) : null;
    }
}
