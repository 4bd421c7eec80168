using System.Runtime.CompilerServices;

namespace Build.ML.OnnxRuntime.Kernels;

/// <summary>A float tensor of a running session.</summary>
/// <param name="data">First element.</param>
/// <param name="rank">Number of axes.</param>
/// <param name="sizes">Their sizes.</param>
internal readonly unsafe struct KernelTensor(float* data, int rank, KernelTensor.SizeList sizes)
{
    /// <summary>Most axes of a tensor.</summary>
    public const int MostAxes = 8;

    private readonly SizeList _sizes = sizes;

    /// <summary>First element; null for an input that is left out.</summary>
    public float* Data => data;

    /// <summary>Number of axes.</summary>
    public int Rank => rank;

    /// <summary>Number of elements.</summary>
    public long Count => Product(0, rank);

    /// <summary>Size of an axis.</summary>
    public int this[int axis] => (int)_sizes[axis];

    /// <summary>Product of the sizes of some axes.</summary>
    public long Product(int first, int end)
    {
        long product = 1;
        for (var i = first; i < end; i++)
        {
            product *= _sizes[i];
        }

        return product;
    }

    /// <summary>The sizes.</summary>
    public long[] Sizes()
    {
        var sizes = new long[rank];
        for (var i = 0; i < rank; i++)
        {
            sizes[i] = _sizes[i];
        }

        return sizes;
    }

    /// <summary>Room for the sizes.</summary>
    [InlineArray(MostAxes)]
    public struct SizeList
    {
        private long _first;
    }
}
