using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning;

/// <summary>The weight of a layer and the axis its products are summed over.</summary>
/// <param name="Value">A float constant.</param>
/// <param name="ReductionAxis">Input channels of a convolution, rows of a matrix that is multiplied from the right.</param>
internal sealed record PrunableWeight(Value Value, int ReductionAxis)
{
    /// <summary>Operators that have one.</summary>
    public static IReadOnlyList<string> OpTypes { get; } = ["Conv", "ConvTranspose", "Gemm", "MatMul"];

    /// <summary>The constant.</summary>
    public Tensor Tensor => Value.Constant!;

    /// <summary>The weight of a node, or null where it has no constant float weight.</summary>
    public static PrunableWeight? Of(Node node)
    {
        if (node.Domain.Length > 0 || !OpTypes.Contains(node.OpType) || node.Input(1) is not { Constant: { Type: DataType.Float, Rank: >= 2 } tensor } value)
        {
            return null;
        }

        // Conv [outputs, inputs/groups, …]; ConvTranspose [inputs, outputs/groups, …]; Gemm [inputs, outputs] or transposed; MatMul […, inputs, outputs].
        var axis = node.OpType switch
        {
            "Conv" => 1,
            "ConvTranspose" => 0,
            "Gemm" => node.Int("transB", 0) != 0 ? 1 : 0,
            _ => tensor.Rank - 2,
        };
        return new(value, axis);
    }

    /// <summary>Puts another tensor in the constant's place.</summary>
    public void Replace(Tensor tensor)
    {
        if (Value.Producer is { } constant)
        {
            constant.SetAttribute(NodeAttribute.Tensor("value", tensor));
        }
        else
        {
            Value.Graph.SetInitializer(Value, tensor);
        }
    }
}
