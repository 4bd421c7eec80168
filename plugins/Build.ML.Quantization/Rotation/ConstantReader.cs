using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation;

/// <summary>What rules ask about other operands.</summary>
internal static class ConstantReader
{
    /// <summary>Whether a value is constant.</summary>
    public static bool Reads(Value? value) => value?.Constant is not null;

    /// <summary>Whether a value is one number for each row of the stream, or for all.</summary>
    public static bool IsOnePerRow(Value value) =>
        value.Constant is { } tensor ? tensor.Rank == 0 || tensor.Sizes[^1] == 1 : value.Shape is { } shape && (shape.Rank == 0 || shape[-1].Size == 1);

    /// <summary>Whether a node reduces over the last dimension only.</summary>
    public static bool ReducesLast(Node node, int rank)
    {
        var axes = node.Input(1)?.Constant is { } tensor ? [.. tensor.ToArray<long>()] : node.Ints("axes");
        return !axes.IsDefault && axes.Length == 1 && (axes[0] == -1 || axes[0] == rank - 1);
    }
}
