using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Layers;

/// <summary>The constant that a value comes from by Transpose of a matrix, Cast between floating-point types and Identity.</summary>
/// <param name="Value">The constant.</param>
/// <param name="IsTransposed">Whether rows and columns are exchanged on the way.</param>
/// <param name="Type">Type of the numbers that arrive.</param>
public sealed record ConstantSource(Value Value, bool IsTransposed, DataType Type)
{
    /// <summary>The constant's tensor.</summary>
    public Tensor Tensor => Value.Constant!;

    /// <summary>Where a value comes from, or null when it is not constant.</summary>
    public static ConstantSource? Of(Value? value)
    {
        var isTransposed = false;
        DataType? type = null;
        while (value is not null)
        {
            if (value.Constant is { } tensor)
            {
                return new(value, isTransposed, type ?? tensor.Type);
            }

            if (value.Producer is not { Domain: "" } node)
            {
                return null;
            }

            switch (node.OpType)
            {
                case "Identity":
                    break;
                case "Cast" when ((DataType)node.Int("to", 0)).IsFloat():
                    type ??= (DataType)node.Int("to", 0);
                    break;
                case "Transpose" when node.Ints("perm") is { IsDefault: true } or [1, 0] && (Matrix(node.Input(0)) ?? false):
                    isTransposed = !isTransposed;
                    break;
                default:
                    return null;
            }

            value = node.Input(0);
        }

        return null;
    }

    /// <summary>Removes what no node reads any more, from a value back to its constant.</summary>
    public static void RemoveIfUnused(Value? value)
    {
        while (value is { IsUnused: true, IsGraphInput: false })
        {
            if (value.Producer is not { } node)
            {
                value.Graph.SetInitializer(value, null);
                return;
            }

            if (node.Outputs.Count != 1)
            {
                return;
            }

            var before = node.Input(0);
            node.Graph.Remove(node);
            value = before;
        }
    }

    private static bool? Matrix(Value? value) => value switch
    {
        null => null,
        { Constant: { } tensor } => tensor.Rank == 2,
        { Producer: { Domain: "", OpType: "Identity" or "Cast" or "Transpose" } node } => Matrix(node.Input(0)),
        _ => null,
    };
}
