using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation;

/// <summary>A node and the constants it is to be computed from.</summary>
/// <param name="node">The node.</param>
/// <param name="opset">Version of its operator set.</param>
/// <param name="inputs">One per input of the node; null for left-out ones.</param>
public sealed class EvaluationContext(Node node, long opset, IReadOnlyList<Tensor?> inputs)
{
    /// <summary>The node.</summary>
    public Node Node => node;

    /// <summary>Version of the node's operator set.</summary>
    public long Opset => opset;

    /// <summary>Number of inputs.</summary>
    public int Count => inputs.Count;

    /// <summary>A given input.</summary>
    /// <exception cref="ArgumentException">It is left out.</exception>
    public Tensor this[int index] => Find(index) ?? throw new ArgumentException($"{node.DisplayName} lacks input {index}");

    /// <summary>An input, or null when left out.</summary>
    public Tensor? Find(int index) => index < inputs.Count ? inputs[index] : null;

    /// <summary>
    /// Integers that came as an attribute in early versions and as an input in later ones, such as axes; null when given in neither way.
    /// </summary>
    public long[]? Integers(string attribute, int input) =>
        node.Ints(attribute) is { IsDefault: false } given ? [.. given] : Find(input) is { } tensor ? Integers(tensor) : null;

    /// <summary>The elements of an int64 or int32 tensor.</summary>
    /// <exception cref="ArgumentException">Another type.</exception>
    public static long[] Integers(Tensor tensor) => tensor?.Type switch
    {
        DataType.Int64 => tensor.ToArray<long>(),
        DataType.Int32 => Array.ConvertAll(tensor.ToArray<int>(), v => (long)v),
        _ => throw new ArgumentException($"expected int64 or int32, got {tensor}"),
    };

    /// <summary>The axis counted from the start.</summary>
    public static int Axis(long axis, int rank) => Shapes.ShapeFormulas.Axis(axis, rank);

    /// <summary>Axes of a tensor of <paramref name="rank"/>, by default all.</summary>
    public static bool[] AxisMask(long[]? axes, int rank) =>
        axes is null ? [.. Enumerable.Repeat(true, rank)] : Shapes.ShapeFormulas.AxisMask(axes.ToImmutableArray(), rank);
}
