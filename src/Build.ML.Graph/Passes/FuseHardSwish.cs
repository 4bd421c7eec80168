using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Replaces the decomposed hard-swish, x·min(max(x + 3, 0), 6)/6 in either order of multiplication and division (Howard et al. 2019, MobileNetV3), by
/// x·HardSigmoid(x, α = 1/6, β = 1/2), two nodes instead of four. ONNX Runtime expands the operator HardSwish into these two anyway.
/// </summary>
[GraphPass("fuse-hard-swish", Order = 320)]
public sealed class FuseHardSwish : IGraphPass
{
    private static NodeAttribute Alpha => NodeAttribute.Float("alpha", 1f / 6);

    private static NodeAttribute Beta => NodeAttribute.Float("beta", 0.5f);

    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var fused = 0;
        foreach (var graph in model.Graphs())
        {
            // A snapshot: nodes after the one at hand are removed too.
            foreach (var node in graph.Nodes.ToArray())
            {
                if (node.Is("Clip") && TryFuse(graph, node))
                {
                    fused++;
                }
            }
        }

        return fused;
    }

    private static bool TryFuse(OnnxGraph graph, Node clip)
    {
        var (low, high) = clip.Inputs.Count > 1
            ? (clip.Input(1).Scalar(), clip.Input(2).Scalar())
            : (clip.Attribute("min")?.Value as float?, clip.Attribute("max")?.Value as float?);
        if (low != 0 || high != 6 || clip.Input(0)?.Producer is not { } add || !add.Is("Add") || add.Outputs[0].OnlyReader() != clip
            || Other(add, 3) is not { } x || clip.Outputs[0].OnlyReader() is not { } next)
        {
            return false;
        }

        if (next.Is("Mul") && Pairs(next, x, clip.Outputs[0]) && next.Outputs[0].OnlyReader() is { } last && DividesBySix(last, next.Outputs[0]))
        {
            // x·clip then /6: the last node becomes the product.
            var gate = graph.Add("HardSigmoid", [x], x.Name + "_gate", [Alpha, Beta], before: last);
            last.OpType = "Mul";
            last.SetInputs(x, gate);
            RemoveChain(next, clip, add);
            return true;
        }

        if (DividesBySix(next, clip.Outputs[0]))
        {
            // clip/6 is the hard sigmoid, whatever it is multiplied with.
            next.OpType = "HardSigmoid";
            next.SetInputs(x);
            next.SetAttribute(Alpha);
            next.SetAttribute(Beta);
            RemoveChain(clip, add);
            return true;
        }

        return false;
    }

    private static void RemoveChain(params ReadOnlySpan<Node> nodes)
    {
        foreach (var node in nodes)
        {
            node.Graph.Remove(node);
        }
    }

    /// <summary>The other operand of a node of two, one of which is that constant scalar.</summary>
    private static Value? Other(Node node, float constant) =>
        node.Input(1).Scalar() == constant ? node.Input(0) : node.Input(0).Scalar() == constant ? node.Input(1) : null;

    private static bool Pairs(Node node, Value a, Value b) =>
        (node.Input(0) == a && node.Input(1) == b) || (node.Input(0) == b && node.Input(1) == a);

    private static bool DividesBySix(Node node, Value dividend) =>
        (node.Is("Div") && node.Input(0) == dividend && node.Input(1).Scalar() == 6)
        || (node.Is("Mul") && Other(node, 1f / 6) == dividend);
}
