using Build.ML.Graph.Ir;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Dynamic;

/// <summary>x·W with one scale for each column of W.</summary>
[DynamicOperator("MatMul")]
internal sealed class DynamicMatMul : DynamicOperator
{
    /// <inheritdoc/>
    public override int WeightInput => 1;

    /// <inheritdoc/>
    public override string? Obstacle(Node node) => node.Inputs[1]!.Constant!.Rank switch
    {
        2 => null,
        var rank => $"the weight has {rank} dimensions, ONNX Runtime's integer product takes 2",
    };

    /// <inheritdoc/>
    public override WeightScales Rewrite(Node node, DynamicRewriter rewriter)
    {
        var weight = rewriter.Weight(node.Inputs[1]!, axis: 1);
        LayerNames.Substitute(node, rewriter.Product(node, weight));
        return weight.Scales;
    }
}
