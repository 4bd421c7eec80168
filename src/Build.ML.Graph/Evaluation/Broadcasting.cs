using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation;

/// <summary>Applies a function to the elements of one or two tensors.</summary>
static class Broadcasting
{
    /// <summary>Element-wise function of two tensors of one type, broadcast against each other.</summary>
    public static Tensor Map<T, TResult>(Tensor a, Tensor b, Func<T, T, TResult> f)
        where T : unmanaged
        where TResult : unmanaged
    {
        var sizes = Sizes(a.Sizes.AsSpan(), b.Sizes.AsSpan());
        var result = new TResult[checked((int)Elements.Count(sizes))];
        using var x = a.Read<T>();
        using var y = b.Read<T>();
        if (a.Count == result.Length && b.Count == result.Length)
        {
            for (var i = 0; i < result.Length; i++)
            {
                result[i] = f(x.Span[i], y.Span[i]);
            }
        }
        else if (result.Length > 0)
        {
            var (stepsA, stepsB) = (Steps(a.Sizes.AsSpan(), sizes), Steps(b.Sizes.AsSpan(), sizes));
            var index = new long[sizes.Length];
            var at = 0;
            do
            {
                long i = 0, j = 0;
                for (var d = 0; d < index.Length; d++)
                {
                    i += index[d] * stepsA[d];
                    j += index[d] * stepsB[d];
                }

                result[at++] = f(x.Span[(int)i], y.Span[(int)j]);
            }
            while (Elements.Next(index, sizes));
        }

        return new Tensor(DataTypes.Of<TResult>(), sizes, Tensor.Of(result, result.Length).Content);
    }

    /// <summary>Element-wise function of one tensor.</summary>
    public static Tensor Map<T, TResult>(Tensor a, Func<T, TResult> f)
        where T : unmanaged
        where TResult : unmanaged
    {
        using var x = a.Read<T>();
        var result = new TResult[x.Span.Length];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = f(x.Span[i]);
        }

        return new Tensor(DataTypes.Of<TResult>(), a.Sizes.AsSpan(), Tensor.Of(result, result.Length).Content);
    }

    /// <summary>The common sizes.</summary>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public static long[] Sizes(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        var sizes = new long[Math.Max(a.Length, b.Length)];
        for (var i = 1; i <= sizes.Length; i++)
        {
            var (x, y) = (i <= a.Length ? a[^i] : 1, i <= b.Length ? b[^i] : 1);
            sizes[^i] = x == y || y == 1 ? x : x == 1 ? y : throw new ArgumentException($"sizes {x} and {y} cannot be broadcast");
        }

        return sizes;
    }

    /// <summary>Strides of a tensor seen under broadcast sizes: 0 where it repeats.</summary>
    public static long[] Steps(ReadOnlySpan<long> own, ReadOnlySpan<long> sizes)
    {
        var strides = Elements.Strides(own);
        var steps = new long[sizes.Length];
        for (var i = 1; i <= own.Length; i++)
        {
            steps[^i] = own[^i] == 1 ? 0 : strides[^i];
        }

        return steps;
    }
}
