using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.Statistics;

/// <summary>Least and greatest of numbers, and whether all are finite, in one pass.</summary>
public static class FiniteExtremes
{
    /// <summary>Lowers <paramref name="minima"/> and raises <paramref name="maxima"/> element by element to hold <paramref name="row"/>.</summary>
    /// <returns>Whether all numbers of the row are finite.</returns>
    public static bool WidenByColumn(ReadOnlySpan<float> row, Span<float> minima, Span<float> maxima)
    {
        ref var x = ref Unsafe.AsRef(in row[0]);
        ref var low = ref minima[0];
        ref var high = ref maxima[0];
        var finite = Vector256<float>.Zero;
        nuint i = 0;
        for (; i + 8 <= (nuint)row.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref x, i);
            finite += v * Vector256<float>.Zero; // 0·∞ and 0·NaN are NaN
            Vector256.MinNative(Vector256.LoadUnsafe(ref low, i), v).StoreUnsafe(ref low, i);
            Vector256.MaxNative(Vector256.LoadUnsafe(ref high, i), v).StoreUnsafe(ref high, i);
        }

        var rest = Vector256.Sum(finite);
        for (; i < (nuint)row.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            rest += v * 0;
            minima[(int)i] = Math.Min(minima[(int)i], v);
            maxima[(int)i] = Math.Max(maxima[(int)i], v);
        }

        return rest == 0;
    }

    /// <summary>Lowers <paramref name="minimum"/> and raises <paramref name="maximum"/> to hold numbers, of which there is at least one.</summary>
    /// <returns>Whether all are finite.</returns>
    public static bool Widen(ReadOnlySpan<float> values, ref float minimum, ref float maximum)
    {
        ref var x = ref Unsafe.AsRef(in values[0]);
        var finite = Vector256<float>.Zero;
        var low = Vector256.Create(minimum);
        var high = Vector256.Create(maximum);
        nuint i = 0;
        for (; i + 8 <= (nuint)values.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref x, i);
            finite += v * Vector256<float>.Zero;
            low = Vector256.MinNative(low, v);
            high = Vector256.MaxNative(high, v);
        }

        var rest = Vector256.Sum(finite);
        for (var lane = 0; lane < 8; lane++)
        {
            minimum = Math.Min(minimum, low[lane]);
            maximum = Math.Max(maximum, high[lane]);
        }

        for (; i < (nuint)values.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            rest += v * 0;
            minimum = Math.Min(minimum, v);
            maximum = Math.Max(maximum, v);
        }

        return rest == 0;
    }
}
