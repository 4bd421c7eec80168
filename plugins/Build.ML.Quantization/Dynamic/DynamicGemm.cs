using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Dynamic;

/// <summary>α·x·W + β·C: α becomes part of the scales of W, β of C.</summary>
[DynamicOperator("Gemm")]
internal sealed class DynamicGemm : DynamicOperator
{
    /// <inheritdoc/>
    public override int WeightInput => 1;

    /// <inheritdoc/>
    public override string? Obstacle(Node node) =>
        node.Int("transA", 0) != 0 ? "its first operand is transposed"
        : node.Float("beta", 1) != 1 && node.Input(2) is { Constant: null } ? "its third operand is scaled and not constant"
        : null;

    /// <inheritdoc/>
    public override WeightScales Rewrite(Node node, DynamicRewriter rewriter)
    {
        var transposed = node.Int("transB", 0) != 0;
        var weight = rewriter.Weight(node.Inputs[1]!, transposed ? 0 : 1, transposed);
        var result = rewriter.Product(node, weight, node.Float("alpha", 1));
        if (node.Input(2) is { } bias && node.Float("beta", 1) != 0)
        {
            result = node.Graph.Add("Add", [result, Scaled(bias, node.Float("beta", 1))], node.Outputs[0].Name + "_sum", before: node);
        }

        LayerNames.Substitute(node, result);
        return weight.Scales;
    }

    private static Value Scaled(Value bias, float factor)
    {
        if (factor == 1)
        {
            return bias;
        }

        var tensor = bias.Constant!;
        return bias.Graph.AddInitializer(bias.Name + "_scaled", Tensor.Of(Array.ConvertAll(tensor.ToArray<float>(), b => b * factor), tensor.Sizes.AsSpan()));
    }
}
