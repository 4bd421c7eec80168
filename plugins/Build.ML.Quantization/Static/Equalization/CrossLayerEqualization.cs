using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static.Equalization;

/// <summary>
/// Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", arXiv 1906.04721, §4.1): for f with f(s·x) = s·f(x), s &gt; 0,
/// W₂·f(W₁·x + b₁) = W₂S·f(S⁻¹W₁·x + S⁻¹b₁), and s_i = √(r₁ᵢ·r₂ᵢ)/r₂ᵢ makes the ranges r₁ᵢ of W₁'s outputs and r₂ᵢ of W₂'s inputs equal, so that no channel loses its integers
/// to another; over all pairs of neighbours in turn until nothing moves. The model computes the same function. High biases are not absorbed.
/// </summary>
internal sealed class CrossLayerEqualization
{
    // Rounds until no scale moves by more than a thousandth; each round at least halves what is left.
    private const int MaximumRounds = 100;
    private const float Settled = 1e-3f;

    private readonly List<(EqualizedLayer First, EqualizedLayer Second)> _pairs = [];

    /// <summary>Number of pairs of layers equalized.</summary>
    public int Pairs => _pairs.Count;

    /// <summary>Number of pairs left since a Clip (ReLU6) between them has a fixed upper bound.</summary>
    public int Clipped { get; private set; }

    /// <summary>Equalizes the main graph of a model in place.</summary>
    public static CrossLayerEqualization Apply(Model model)
    {
        var equalization = new CrossLayerEqualization();
        equalization.FindPairs(model.Graph);
        for (var (round, moved) = (0, true); moved && round < MaximumRounds; round++)
        {
            moved = false;
            foreach (var (first, second) in equalization._pairs)
            {
                moved |= Equalize(first, second);
            }
        }

        foreach (var layer in equalization._pairs.SelectMany(p => new[] { p.First, p.Second }).Distinct())
        {
            layer.Write();
        }

        return equalization;
    }

    private void FindPairs(OnnxGraph graph)
    {
        var layers = new Dictionary<Node, EqualizedLayer>();
        foreach (var node in graph.Nodes)
        {
            if (EqualizedLayer.Of(node) is { } layer)
            {
                layers.Add(node, layer);
            }
        }

        foreach (var first in layers.Values)
        {
            if (NextLayer(first) is { } next && layers.TryGetValue(next, out var second) && second.IsConvolution == first.IsConvolution && second.Inputs == first.Outputs)
            {
                _pairs.Add((first, second));
            }
        }
    }

    // Follows a chain in which everything is read once, through what scales with its input channel by channel.
    private Node? NextLayer(EqualizedLayer first)
    {
        var value = first.End;
        var clipped = false;
        while (value is { IsGraphOutput: false, Uses: [{ Node: { Domain.Length: 0 } node, Index: 0 }] } && node.Graph == value.Graph)
        {
            if (node.OpType is "Conv" or "Gemm" or "MatMul")
            {
                Clipped += clipped ? 1 : 0;
                return clipped ? null : node;
            }

            clipped |= node.OpType == "Clip";
            var scales = node.OpType is "Relu" or "LeakyRelu" or "Clip"
                || (first.IsConvolution && node.OpType is "MaxPool" or "AveragePool" or "GlobalAveragePool" or "GlobalMaxPool" && node.Outputs.Count == 1);
            if (!scales)
            {
                return null;
            }

            value = node.Outputs[0];
        }

        return null;
    }

    private static bool Equalize(EqualizedLayer first, EqualizedLayer second)
    {
        var (outputs, inputs) = (first.OutputRanges(), second.InputRanges());
        var scales = new float[outputs.Length];
        var moved = false;
        for (var i = 0; i < scales.Length; i++)
        {
            // √(r₁r₂)/r₂ = √(r₁/r₂); a channel of zeros is as good at any scale.
            var scale = outputs[i] > 0 && inputs[i] > 0 ? MathF.Sqrt(outputs[i] / inputs[i]) : 1;
            scales[i] = float.IsNormal(scale) ? scale : 1;
            moved |= Math.Abs(scales[i] - 1) > Settled;
        }

        if (moved)
        {
            first.DivideOutputs(scales);
            second.MultiplyInputs(scales);
        }

        return moved;
    }
}
