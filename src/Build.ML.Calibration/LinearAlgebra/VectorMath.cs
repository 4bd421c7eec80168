using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Sums over vectors and plane rotations whose bits do not depend on the processor: 4 accumulators of 256 bits whatever the width of its vectors, fused multiply-adds, added up in one order.
/// </summary>
internal static class VectorMath
{
    /// <summary>Σ a·b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, a.Length);
        ref var x = ref MemoryMarshal.GetReference(a);
        ref var y = ref MemoryMarshal.GetReference(b);
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        var i = 0;
        for (; i <= a.Length - 32; i += 32)
        {
            s0 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i), Vector256.LoadUnsafe(ref y, (nuint)i), s0);
            s1 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 8), Vector256.LoadUnsafe(ref y, (nuint)i + 8), s1);
            s2 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 16), Vector256.LoadUnsafe(ref y, (nuint)i + 16), s2);
            s3 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 24), Vector256.LoadUnsafe(ref y, (nuint)i + 24), s3);
        }

        s0 = s0 + s1 + (s2 + s3);
        var low = s0.GetLower() + s0.GetUpper();
        var sum = low[0] + low[2] + (low[1] + low[3]);
        for (; i < a.Length; i++)
        {
            sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
        }

        return sum;
    }

    /// <summary>Σ a·b in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, a.Length);
        ref var x = ref MemoryMarshal.GetReference(a);
        ref var y = ref MemoryMarshal.GetReference(b);
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        var i = 0;
        for (; i <= a.Length - 16; i += 16)
        {
            s0 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i), Vector256.LoadUnsafe(ref y, (nuint)i), s0);
            s1 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 4), Vector256.LoadUnsafe(ref y, (nuint)i + 4), s1);
            s2 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 8), Vector256.LoadUnsafe(ref y, (nuint)i + 8), s2);
            s3 = Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref x, (nuint)i + 12), Vector256.LoadUnsafe(ref y, (nuint)i + 12), s3);
        }

        s0 = s0 + s1 + (s2 + s3);
        var sum = s0[0] + s0[2] + (s0[1] + s0[3]);
        for (; i < a.Length; i++)
        {
            sum = Math.FusedMultiplyAdd(a[i], b[i], sum);
        }

        return sum;
    }

    /// <summary>The plane rotation (a, b) ← (c·a − s·b, s·a + c·b), element by element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(Span<double> a, Span<double> b, double c, double s)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, a.Length);
        ref var x = ref MemoryMarshal.GetReference(a);
        ref var y = ref MemoryMarshal.GetReference(b);
        Vector256<double> cosine = Vector256.Create(c), sine = Vector256.Create(s);
        var i = 0;
        for (; i <= a.Length - 4; i += 4)
        {
            var (p, q) = (Vector256.LoadUnsafe(ref x, (nuint)i), Vector256.LoadUnsafe(ref y, (nuint)i));
            Vector256.FusedMultiplyAdd(cosine, p, -(sine * q)).StoreUnsafe(ref x, (nuint)i);
            Vector256.FusedMultiplyAdd(sine, p, cosine * q).StoreUnsafe(ref y, (nuint)i);
        }

        for (; i < a.Length; i++)
        {
            var (p, q) = (a[i], b[i]);
            a[i] = Math.FusedMultiplyAdd(c, p, -(s * q));
            b[i] = Math.FusedMultiplyAdd(s, p, c * q);
        }
    }
}
