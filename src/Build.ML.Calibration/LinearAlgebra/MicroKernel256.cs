using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>For processors with 256-bit vectors and 16 registers (AVX2): 8 × 8, 8 accumulators, as many as hide the latency of two units.</summary>
internal readonly unsafe struct MicroKernel256 : IMicroKernel
{
    /// <inheritdoc/>
    public static int Columns => 8;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(nint depth, float* a, float* b, float* c, nint stride)
    {
        Vector256<float> c00 = default;
        Vector256<float> c10 = default;
        Vector256<float> c20 = default;
        Vector256<float> c30 = default;
        Vector256<float> c40 = default;
        Vector256<float> c50 = default;
        Vector256<float> c60 = default;
        Vector256<float> c70 = default;
        for (; depth > 0; depth--, a += IMicroKernel.Rows, b += Columns)
        {
            var b0 = Vector256.Load(b);
            var a0 = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(a0, b0, c00);
            var a1 = Vector256.Create(a[1]);
            c10 = Vector256.FusedMultiplyAdd(a1, b0, c10);
            var a2 = Vector256.Create(a[2]);
            c20 = Vector256.FusedMultiplyAdd(a2, b0, c20);
            var a3 = Vector256.Create(a[3]);
            c30 = Vector256.FusedMultiplyAdd(a3, b0, c30);
            var a4 = Vector256.Create(a[4]);
            c40 = Vector256.FusedMultiplyAdd(a4, b0, c40);
            var a5 = Vector256.Create(a[5]);
            c50 = Vector256.FusedMultiplyAdd(a5, b0, c50);
            var a6 = Vector256.Create(a[6]);
            c60 = Vector256.FusedMultiplyAdd(a6, b0, c60);
            var a7 = Vector256.Create(a[7]);
            c70 = Vector256.FusedMultiplyAdd(a7, b0, c70);
        }

        Add(c, c00);
        Add(c + stride, c10);
        Add(c + (2 * stride), c20);
        Add(c + (3 * stride), c30);
        Add(c + (4 * stride), c40);
        Add(c + (5 * stride), c50);
        Add(c + (6 * stride), c60);
        Add(c + (7 * stride), c70);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* c, Vector256<float> v0)
    {
        (Vector256.Load(c) + v0).Store(c);
    }
}
