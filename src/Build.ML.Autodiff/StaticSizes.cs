using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>Sizes of values whose shape is static, which those of a training model are.</summary>
public static class StaticSizes
{
    /// <summary>The sizes of a value's dimensions.</summary>
    /// <param name="value">A tensor.</param>
    /// <exception cref="DiagnosticException">BML8104: its shape is not known, or depends on data.</exception>
    public static ImmutableArray<long> Sizes(this Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Initializer is { } tensor)
        {
            return tensor.Sizes;
        }

        return value.Shape?.ToSizes() is { } sizes
            ? ImmutableArray.Create(sizes)
            : throw new DiagnosticException(
                "BML8104", $"'{value.Name}', the result of {value.Producer?.DisplayName ?? "no node"}, has the shape {value.Shape?.ToString() ?? "of an unknown rank"}; training needs every size. "
                + "Give the sizes of all inputs; a model whose shapes depend on data (NonZero, Loop) is not trained.");
    }

    /// <summary>Number of elements.</summary>
    /// <param name="value">A tensor of static shape.</param>
    public static long Count(this Value value) => Product(value.Sizes().AsSpan());

    /// <summary>Number of dimensions.</summary>
    /// <param name="value">A tensor of static shape.</param>
    public static int Rank(this Value value) => value.Sizes().Length;

    /// <summary>One size; negative axes count from the end.</summary>
    /// <param name="value">A tensor of static shape.</param>
    /// <param name="axis">−rank to rank − 1.</param>
    public static long Size(this Value value, int axis)
    {
        var sizes = value.Sizes();
        return sizes[axis < 0 ? axis + sizes.Length : axis];
    }

    internal static long Product(ReadOnlySpan<long> sizes)
    {
        long product = 1;
        foreach (var size in sizes)
        {
            product *= size;
        }

        return product;
    }

    /// <summary>The sizes that two shapes broadcast to (ONNX's multidirectional broadcasting).</summary>
    internal static long[] Broadcast(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        var result = new long[Math.Max(a.Length, b.Length)];
        for (var i = 1; i <= result.Length; i++)
        {
            var x = i <= a.Length ? a[^i] : 1;
            var y = i <= b.Length ? b[^i] : 1;
            result[^i] = x == 1 ? y : x;
        }

        return result;
    }
}
