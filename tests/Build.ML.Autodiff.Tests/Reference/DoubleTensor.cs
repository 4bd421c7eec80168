using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Reference;

/// <summary>Numbers of any element type as doubles: integers of models are exact in them.</summary>
public sealed record DoubleTensor(long[] Sizes, double[] Data)
{
    public int Rank => Sizes.Length;

    public static DoubleTensor Of(Tensor tensor) => new([.. tensor.Sizes], tensor.Type switch
    {
        DataType.Float => Array.ConvertAll(tensor.ToArray<float>(), v => (double)v),
        DataType.Double => tensor.ToArray<double>(),
        DataType.Int64 => Array.ConvertAll(tensor.ToArray<long>(), v => (double)v),
        DataType.Int32 => Array.ConvertAll(tensor.ToArray<int>(), v => (double)v),
        DataType.Bool => Array.ConvertAll(tensor.ToArray<bool>(), v => v ? 1.0 : 0.0),
        var other => throw new NotSupportedException($"{other} in the reference."),
    });

    public static DoubleTensor OfSizes(params long[] sizes) => new(sizes, new double[Product(sizes)]);

    public static long Product(ReadOnlySpan<long> sizes)
    {
        long product = 1;
        foreach (var size in sizes)
            product *= size;
        return product;
    }

    /// <summary>The content as whole numbers.</summary>
    public long[] Integers() => Array.ConvertAll(Data, v => (long)v);

    /// <summary>An axis from 0 on.</summary>
    public int Axis(long axis) => (int)(axis < 0 ? axis + Rank : axis);

    public DoubleTensor Reshape(params long[] sizes) => new(sizes, Data);

    /// <summary>Sizes before an axis, along it, behind it, multiplied.</summary>
    public (int Before, int Along, int Behind) Around(int axis) => ((int)Product(Sizes.AsSpan(0, axis)), (int)Sizes[axis], (int)Product(Sizes.AsSpan(axis + 1)));

    /// <summary>Elements picked one by one: for each element of the result the place in this one.</summary>
    /// <param name="sizes">Sizes of the result.</param>
    /// <param name="place">Index of the result's element to the index of this one's; null for 0.</param>
    public DoubleTensor Pick(long[] sizes, Func<long[], long[]?> place)
    {
        var result = OfSizes(sizes);
        var index = new long[sizes.Length];
        for (long i = 0; i < result.Data.Length; i++)
        {
            var rest = i;
            for (var d = sizes.Length - 1; d >= 0; d--)
                (rest, index[d]) = (rest / sizes[d], rest % sizes[d]);
            if (place(index) is not { } from)
                continue;
            long at = 0;
            for (var d = 0; d < Rank; d++)
                at = at * Sizes[d] + from[d];
            result.Data[i] = Data[at];
        }
        return result;
    }

    /// <summary>f of each pair of elements, broadcast.</summary>
    public static DoubleTensor Zip(DoubleTensor a, DoubleTensor b, Func<double, double, double> f)
    {
        if (a.Sizes.AsSpan().SequenceEqual(b.Sizes))
        {
            var same = OfSizes(a.Sizes);
            for (var i = 0; i < same.Data.Length; i++)
                same.Data[i] = f(a.Data[i], b.Data[i]);
            return same;
        }
        var rank = Math.Max(a.Rank, b.Rank);
        var sizes = new long[rank];
        long[] Strides(DoubleTensor t)
        {
            var strides = new long[rank];
            long stride = 1;
            for (var d = 1; d <= t.Rank; d++)
            {
                strides[^d] = t.Sizes[^d] == 1 ? 0 : stride;
                stride *= t.Sizes[^d];
            }
            return strides;
        }
        for (var d = 1; d <= rank; d++)
            sizes[^d] = Math.Max(d <= a.Rank ? a.Sizes[^d] : 1, d <= b.Rank ? b.Sizes[^d] : 1);
        var (result, ofA, ofB, index) = (OfSizes(sizes), Strides(a), Strides(b), new long[rank]);
        long i1 = 0, i2 = 0;
        for (var i = 0; i < result.Data.Length; i++)
        {
            result.Data[i] = f(a.Data[i1], b.Data[i2]);
            for (var d = rank - 1; d >= 0; d--)
            {
                (i1, i2) = (i1 + ofA[d], i2 + ofB[d]);
                if (++index[d] < sizes[d])
                    break;
                (i1, i2, index[d]) = (i1 - index[d] * ofA[d], i2 - index[d] * ofB[d], 0);
            }
        }
        return result;
    }

    public DoubleTensor Map(Func<double, double> f) => new(Sizes, Array.ConvertAll(Data, v => f(v)));

    /// <summary>One number for each combination of what is not along the axes.</summary>
    public DoubleTensor Reduce(int[] axes, bool keep, Func<double[], double> f)
    {
        long[] kept = [.. Sizes.Select((s, d) => axes.Contains(d) ? 1 : s)];
        var groups = new List<double>[Product(kept)];
        for (var i = 0; i < groups.Length; i++)
            groups[i] = [];
        var index = new long[Rank];
        foreach (var value in Data)
        {
            long at = 0;
            for (var d = 0; d < Rank; d++)
                at = at * kept[d] + (kept[d] == 1 ? 0 : index[d]);
            groups[at].Add(value);
            for (var d = Rank - 1; d >= 0 && ++index[d] == Sizes[d]; d--)
                index[d] = 0;
        }
        return new(keep ? kept : [.. Sizes.Where((_, d) => !axes.Contains(d))], [.. groups.Select(g => f([.. g]))]);
    }
}
