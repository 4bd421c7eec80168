using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.Statistics;

/// <summary>
/// Counts of an activation's values in bins of equal width, collected in one pass without knowing the range before. The width is a power of two and bins start
/// at its multiples, so that when the range grows neighbouring bins merge exactly: the result is a function of the values alone, whatever their order.
/// </summary>
public sealed class ActivationHistogram
{
    /// <summary>Bins there are at most; between half of it and all of it are in use, unless the values allow no finer bins.</summary>
    public const int Capacity = 4096;

    // Below this the factor 1/width would overflow.
    private const int LeastExponent = -120;

    private readonly int[] _even = new int[Capacity];
    private readonly int[] _odd = new int[Capacity];
    private long[] _counts = new long[Capacity];
    private int _exponent = LeastExponent;
    private int _first;

    /// <summary>Least value seen; +∞ before the first.</summary>
    public float Minimum { get; private set; } = float.PositiveInfinity;

    /// <summary>Greatest value seen; −∞ before the first.</summary>
    public float Maximum { get; private set; } = float.NegativeInfinity;

    /// <summary>Number of values.</summary>
    public long Count { get; private set; }

    /// <summary>How many of them are exactly 0, which every quantization represents exactly; they are in the bins too.</summary>
    public long Zeros { get; private set; }

    /// <summary>Width of a bin, a power of two.</summary>
    public double Width => Math.ScaleB(1, _exponent);

    /// <summary>Bin 0 covers [<c>First·Width</c>, <c>(First+1)·Width</c>).</summary>
    public int First => _first;

    /// <summary>The bins from the least value or 0, whichever is less, to the greatest value or 0.</summary>
    public ReadOnlySpan<long> Bins => Count == 0 ? [] : _counts.AsSpan(0, Last(Maximum, _exponent) - _first + 1);

    /// <summary>Counts values.</summary>
    /// <returns>False, with nothing counted, when one of them is NaN or infinite.</returns>
    public bool Add(ReadOnlySpan<float> values)
    {
        if (values.Length == 0)
        {
            return true;
        }

        float low = Minimum, high = Maximum;
        if (!FiniteExtremes.Widen(values, ref low, ref high))
        {
            return false;
        }

        Widen(low, high);
        for (var start = 0; start < values.Length; start += 1 << 20)
        {
            CountValues(values.Slice(start, Math.Min(1 << 20, values.Length - start)));
        }

        Count += values.Length;
        return true;
    }

    /// <summary>Writes all there is.</summary>
    internal void Write(BinaryWriter to)
    {
        to.Write(Count);
        to.Write(Zeros);
        to.Write(Minimum);
        to.Write(Maximum);
        to.Write(_exponent);
        to.Write(_first);
        var bins = Bins;
        to.Write(bins.Length);
        foreach (var bin in bins)
        {
            to.Write7BitEncodedInt64(bin);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    internal static ActivationHistogram Read(BinaryReader from)
    {
        var histogram = new ActivationHistogram
        {
            Count = from.ReadInt64(),
            Zeros = from.ReadInt64(),
            Minimum = from.ReadSingle(),
            Maximum = from.ReadSingle(),
            _exponent = from.ReadInt32(),
            _first = from.ReadInt32(),
        };
        var bins = from.ReadInt32();
        for (var i = 0; i < bins; i++)
        {
            histogram._counts[i] = from.Read7BitEncodedInt64();
        }

        return histogram;
    }

    private void Widen(float low, float high)
    {
        (Minimum, Maximum) = (low, high);
        var exponent = Math.Max(_exponent, Exponent(low, high));
        var first = Floor(Math.Min(low, 0), exponent);
        if (exponent == _exponent && first == _first)
        {
            return;
        }

        var shift = Shift(_exponent, exponent);
        var counts = new long[Capacity];
        for (var i = 0; i < Capacity; i++)
        {
            if (_counts[i] != 0)
            {
                counts[((_first + i) >> shift) - first] += _counts[i];
            }
        }

        (_counts, _exponent, _first) = (counts, exponent, first);
    }

    // The least width under which the range takes no more bins than there are.
    private static int Exponent(float low, float high)
    {
        double least = Math.Min(low, 0), greatest = Math.Max(high, 0);
        if (least == greatest)
        {
            return LeastExponent;
        }

        var exponent = Math.Max(Math.ILogB(greatest - least) - 13, LeastExponent);
        while (Math.Floor(Math.ScaleB(greatest, -exponent)) - Math.Floor(Math.ScaleB(least, -exponent)) >= Capacity)
        {
            exponent++;
        }

        return exponent;
    }

    // The processor takes shifts modulo 32; beyond 31 nothing but the sign is left anyway.
    private static int Shift(int from, int to) => Math.Min(to - from, 31);

    private static int Floor(double value, int exponent) => (int)Math.Floor(Math.ScaleB(value, -exponent));

    private static int Last(float maximum, int exponent) => Floor(Math.Max(maximum, 0), exponent);

    private void CountValues(ReadOnlySpan<float> values)
    {
        // Two tables, so that equal neighbours (zeros after a ReLU) do not wait for each other's store.
        ref var even = ref MemoryMarshal.GetArrayDataReference(_even);
        ref var odd = ref MemoryMarshal.GetArrayDataReference(_odd);
        ref var x = ref MemoryMarshal.GetReference(values);
        var inverse = (float)Math.ScaleB(1, -_exponent); // exact: a power of two
        var first = _first;
        var factor = Vector256.Create(inverse);
        var offset = Vector256.Create(first);
        var zeros = Vector256<int>.Zero;
        Span<int> bins = stackalloc int[8];
        ref var bin = ref MemoryMarshal.GetReference(bins);
        nuint i = 0;
        for (; i + 8 <= (nuint)values.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref x, i);
            zeros -= Vector256.Equals(v, Vector256<float>.Zero).AsInt32();
            (Vector256.ConvertToInt32Native(Vector256.Floor(v * factor)) - offset).StoreUnsafe(ref bin);
            Unsafe.Add(ref even, Unsafe.Add(ref bin, 0))++;
            Unsafe.Add(ref odd, Unsafe.Add(ref bin, 1))++;
            Unsafe.Add(ref even, Unsafe.Add(ref bin, 2))++;
            Unsafe.Add(ref odd, Unsafe.Add(ref bin, 3))++;
            Unsafe.Add(ref even, Unsafe.Add(ref bin, 4))++;
            Unsafe.Add(ref odd, Unsafe.Add(ref bin, 5))++;
            Unsafe.Add(ref even, Unsafe.Add(ref bin, 6))++;
            Unsafe.Add(ref odd, Unsafe.Add(ref bin, 7))++;
        }

        Zeros += Vector256.Sum(zeros);
        for (; i < (nuint)values.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            Zeros += v == 0 ? 1 : 0;
            _even[(int)MathF.Floor(v * inverse) - first]++;
        }

        for (var b = 0; b < Capacity; b++)
        {
            _counts[b] += _even[b] + _odd[b];
        }

        Array.Clear(_even);
        Array.Clear(_odd);
    }
}
