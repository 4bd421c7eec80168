using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Dynamic;

/// <summary>An embedding: integer rows are looked up, then multiplied with the scale of each row. It saves bytes; the look-up itself costs nothing.</summary>
[DynamicOperator("Gather")]
internal sealed class DynamicGather : DynamicOperator
{
    /// <inheritdoc/>
    public override int WeightInput => 0;

    /// <inheritdoc/>
    public override string? Obstacle(Node node)
    {
        var table = node.Inputs[0]!;
        return table.Constant!.Rank != 2 || node.Int("axis", 0) is not (0 or -2) ? "not a look-up of the rows of a matrix"
            : table.Uses.FirstOrDefault(u => !u.Node.Is("Gather") || u.Index != 0) is { Node: { } other }
                ? $"{other.DisplayName} reads the same table as real numbers, which would then be stored twice"
                : null;
    }

    /// <inheritdoc/>
    public override WeightScales Rewrite(Node node, DynamicRewriter rewriter)
    {
        var graph = node.Graph;
        var name = node.Outputs[0].Name;
        var table = rewriter.Weight(node.Inputs[0]!, axis: 0);
        var rows = Look(table.Integers, name + "_integer");
        if (rewriter.Format.Granularity == Granularity.PerTensor)
        {
            var scale = graph.AddInitializer(table.Integers.Name + "_scale", table.Scales.ScaleTensor());
            var zeroPoint = graph.AddInitializer(table.Integers.Name + "_zero_point", table.Scales.ZeroPointTensor());
            LayerNames.Substitute(node, graph.Add("DequantizeLinear", [rows, scale, zeroPoint], name + "_rows", before: node));
            return table.Scales;
        }

        var reals = graph.Add("Cast", [rows], name + "_cast", [NodeAttribute.Int("to", (long)DataType.Float)], before: node);
        if (rewriter.Format.Type == QuantizedType.U8)
        {
            var zeroPoints = graph.AddInitializer(
                table.Integers.Name + "_zero_point", Graph.Tensors.Tensor.Of(table.Scales.ZeroPoints, table.Scales.ZeroPoints.Length, 1));
            reals = graph.Add("Sub", [reals, Look(zeroPoints, name + "_zero_point")], name + "_centred", before: node);
        }

        var scales = graph.AddInitializer(table.Integers.Name + "_scale", table.Scales.ScaleTensor().Reshape(table.Scales.Scales.Length, 1));
        LayerNames.Substitute(node, graph.Add("Mul", [reals, Look(scales, name + "_scale")], name + "_rows", before: node));
        return table.Scales;

        Value Look(Value data, string output) =>
            graph.Add("Gather", [data, node.Inputs[1]], output, [NodeAttribute.Int("axis", 0)], before: node);
    }
}
