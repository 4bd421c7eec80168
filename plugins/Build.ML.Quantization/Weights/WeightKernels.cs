using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Quantization.Weights;

/// <summary>The loops over weights: rounding to integers, error. One thread each; the callers divide the work.</summary>
internal static class WeightKernels
{
    /// <summary>q = clamp(round(x·<paramref name="inverse"/>) + zero point) with one scale for all.</summary>
    public static void Quantize(ReadOnlySpan<float> values, Span<byte> integers, float inverse, int zeroPoint, int least, int greatest)
    {
        ref var x = ref Unsafe.AsRef(in values[0]);
        ref var q = ref integers[0];
        var zero = Vector256.Create((float)zeroPoint);
        var low = Vector256.Create((float)least);
        var high = Vector256.Create((float)greatest);
        var factor = Vector256.Create(inverse);
        nuint i = 0;
        for (; i + 32 <= (nuint)values.Length; i += 32)
        {
            var a = Round(Vector256.LoadUnsafe(ref x, i), factor, zero, low, high);
            var b = Round(Vector256.LoadUnsafe(ref x, i + 8), factor, zero, low, high);
            var c = Round(Vector256.LoadUnsafe(ref x, i + 16), factor, zero, low, high);
            var d = Round(Vector256.LoadUnsafe(ref x, i + 24), factor, zero, low, high);
            Pack(a, b, c, d).StoreUnsafe(ref q, i);
        }

        for (; i < (nuint)values.Length; i++)
        {
            Unsafe.Add(ref q, i) = Round(Unsafe.Add(ref x, i), inverse, zeroPoint, least, greatest);
        }
    }

    /// <summary>As <see cref="Quantize"/> with a scale and zero point for each column.</summary>
    public static void QuantizeByColumn(
        ReadOnlySpan<float> row, Span<byte> integers, ReadOnlySpan<float> inverses, ReadOnlySpan<float> zeroPoints, int least, int greatest)
    {
        ref var x = ref Unsafe.AsRef(in row[0]);
        ref var f = ref Unsafe.AsRef(in inverses[0]);
        ref var z = ref Unsafe.AsRef(in zeroPoints[0]);
        ref var q = ref integers[0];
        var low = Vector256.Create((float)least);
        var high = Vector256.Create((float)greatest);
        nuint i = 0;
        for (; i + 32 <= (nuint)row.Length; i += 32)
        {
            var a = Round(Vector256.LoadUnsafe(ref x, i), Vector256.LoadUnsafe(ref f, i), Vector256.LoadUnsafe(ref z, i), low, high);
            var b = Round(Vector256.LoadUnsafe(ref x, i + 8), Vector256.LoadUnsafe(ref f, i + 8), Vector256.LoadUnsafe(ref z, i + 8), low, high);
            var c = Round(Vector256.LoadUnsafe(ref x, i + 16), Vector256.LoadUnsafe(ref f, i + 16), Vector256.LoadUnsafe(ref z, i + 16), low, high);
            var d = Round(Vector256.LoadUnsafe(ref x, i + 24), Vector256.LoadUnsafe(ref f, i + 24), Vector256.LoadUnsafe(ref z, i + 24), low, high);
            Pack(a, b, c, d).StoreUnsafe(ref q, i);
        }

        for (; i < (nuint)row.Length; i++)
        {
            Unsafe.Add(ref q, i) = Round(Unsafe.Add(ref x, i), Unsafe.Add(ref f, i), (int)Unsafe.Add(ref z, i), least, greatest);
        }
    }

    /// <summary>Adds Σx² to <paramref name="signal"/> and Σ(x − x̂)² to <paramref name="noise"/>, x̂ being what the integers stand for.</summary>
    public static void AddError(
        ReadOnlySpan<float> row, ReadOnlySpan<float> inverses, ReadOnlySpan<float> scales, ReadOnlySpan<float> zeroPoints, int least, int greatest,
        ref double signal, ref double noise)
    {
        ref var x = ref Unsafe.AsRef(in row[0]);
        ref var f = ref Unsafe.AsRef(in inverses[0]);
        ref var s = ref Unsafe.AsRef(in scales[0]);
        ref var z = ref Unsafe.AsRef(in zeroPoints[0]);
        var low = Vector256.Create((float)least);
        var high = Vector256.Create((float)greatest);
        var step = inverses.Length == 1 ? 0u : 1u; // one scale for all: keep reading it
        nuint i = 0;
        while (i + 8 <= (nuint)row.Length)
        {
            // Sums in single precision stay short, so that their rounding stays far below the noise.
            var end = Math.Min(i + 2048, (nuint)row.Length - 7);
            var signals = Vector256<float>.Zero;
            var noises = Vector256<float>.Zero;
            for (; i < end; i += 8)
            {
                var v = Vector256.LoadUnsafe(ref x, i);
                Vector256<float> inverse, scale, zero;
                if (step == 0)
                {
                    (inverse, scale, zero) = (Vector256.Create(f), Vector256.Create(s), Vector256.Create(z));
                }
                else
                {
                    inverse = Vector256.LoadUnsafe(ref f, i);
                    scale = Vector256.LoadUnsafe(ref s, i);
                    zero = Vector256.LoadUnsafe(ref z, i);
                }

                var q = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(v * inverse) + zero, low), high);
                var e = v - (q - zero) * scale;
                signals += v * v;
                noises += e * e;
            }

            signal += Vector256.Sum(signals);
            noise += Vector256.Sum(noises);
        }

        for (; i < (nuint)row.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            var zero = (int)Unsafe.Add(ref z, i * step);
            var q = Math.Clamp((int)MathF.Round(v * Unsafe.Add(ref f, i * step)) + zero, least, greatest);
            var e = v - (q - zero) * Unsafe.Add(ref s, i * step);
            signal += (double)v * v;
            noise += (double)e * e;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(
        Vector256<float> v, Vector256<float> inverse, Vector256<float> zero, Vector256<float> low, Vector256<float> high) =>
        Vector256.ConvertToInt32Native(Vector256.MinNative(Vector256.MaxNative(Vector256.Round(v * inverse) + zero, low), high));

    // The low byte of −5 as int is that of −5 as sbyte: one path serves both types.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Pack(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d) =>
        Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Round(float v, float inverse, int zeroPoint, int least, int greatest) =>
        (byte)Math.Clamp((int)MathF.Round(v * inverse) + zeroPoint, least, greatest);
}
