using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.WeightSharing;

/// <summary>The weight of a layer, and along which axis it has one slice for each thing that the layer computes.</summary>
/// <param name="Node">The first node that reads it.</param>
/// <param name="Value">A float constant of rank 2 or more.</param>
/// <param name="ChannelAxis">Output channels; rows of an embedding.</param>
internal sealed record SharableWeight(Node Node, Value Value, int ChannelAxis)
{
    /// <summary>Operators that have one.</summary>
    public static IReadOnlyList<string> OpTypes { get; } = ["Conv", "ConvTranspose", "Gather", "Gemm", "MatMul"];

    /// <summary>How reports name the layer.</summary>
    public string Name => Node.Name.Length > 0 ? Node.Name : Node.Outputs[0].Name;

    /// <summary>The weight of a node, or null where it has no constant float weight.</summary>
    public static SharableWeight? Of(Node node)
    {
        if (node.Domain.Length > 0 || !OpTypes.Contains(node.OpType) || node.Input(node.OpType == "Gather" ? 0 : 1) is not { Constant: { Type: DataType.Float, Rank: >= 2 } tensor } value)
        {
            return null;
        }

        // Conv [outputs, inputs/groups, …]; ConvTranspose [inputs, outputs/groups, …]; Gemm [inputs, outputs] or transposed; MatMul […, inputs, outputs].
        var axis = node.OpType switch
        {
            "Conv" or "Gather" => 0,
            "ConvTranspose" => 1,
            "Gemm" => node.Int("transB", 0) != 0 ? 0 : 1,
            _ => tensor.Rank - 1,
        };
        return new(node, value, axis);
    }
}
