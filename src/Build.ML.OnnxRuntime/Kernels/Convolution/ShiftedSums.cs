using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>
/// Weighted sums of shifted runs, eight at a time: y[r][i] = Σ over terms j of w[j][r]·x[offset[j] + i]. Each sum is taken in the order of the terms with fused multiply-add, so the
/// width of the machine's vectors changes no bit.
/// </summary>
internal static unsafe class ShiftedSums
{
    /// <summary>Runs computed at a time.</summary>
    public const int Rows = 8;

    /// <summary>Computes eight runs.</summary>
    /// <param name="x">What is shifted; readable up to the largest offset + <paramref name="length"/>.</param>
    /// <param name="offsets">One for each term.</param>
    /// <param name="terms">Number of terms.</param>
    /// <param name="w">[terms][8].</param>
    /// <param name="y">[8][<paramref name="length"/>].</param>
    /// <param name="length">A multiple of 16.</param>
    public static void Compute(float* x, int* offsets, int terms, float* w, float* y, int length)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            ComputeWide(x, offsets, terms, w, y, length);
        }
        else
        {
            ComputeNarrow(x, offsets, terms, w, y, length);
        }
    }

    /// <summary>With vectors of 512 bits.</summary>
    internal static void ComputeWide(float* x, int* offsets, int terms, float* w, float* y, int length)
    {
        var i = 0;
        for (; i + 48 <= length; i += 48)
        {
            Tile8x48(x + i, offsets, terms, w, y + i, length);
        }

        for (; i + 32 <= length; i += 32)
        {
            Tile8x32(x + i, offsets, terms, w, y + i, length);
        }

        for (; i < length; i += 16)
        {
            Tile8x16(x + i, offsets, terms, w, y + i, length);
        }
    }

    /// <summary>With vectors of 256 bits.</summary>
    internal static void ComputeNarrow(float* x, int* offsets, int terms, float* w, float* y, int length)
    {
        var i = 0;
        for (; i + 24 <= length; i += 24)
        {
            Tile4x24(x + i, offsets, terms, w, y + i, length);
            Tile4x24(x + i, offsets, terms, w + 4, y + (4 * length) + i, length);
        }

        for (; i < length; i += 8)
        {
            Tile8x8(x + i, offsets, terms, w, y + i, length);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x48(float* x, int* offsets, int terms, float* w, float* y, int pitch)
    {
        Vector512<float> a00 = default, a01 = default, a02 = default;
        Vector512<float> a10 = default, a11 = default, a12 = default;
        Vector512<float> a20 = default, a21 = default, a22 = default;
        Vector512<float> a30 = default, a31 = default, a32 = default;
        Vector512<float> a40 = default, a41 = default, a42 = default;
        Vector512<float> a50 = default, a51 = default, a52 = default;
        Vector512<float> a60 = default, a61 = default, a62 = default;
        Vector512<float> a70 = default, a71 = default, a72 = default;
        for (var j = 0; j < terms; j++, w += Rows)
        {
            var from = x + offsets[j];
            var x0 = Vector512.Load(from);
            var x1 = Vector512.Load(from + 16);
            var x2 = Vector512.Load(from + 32);
            var b = Vector512.Create(w[0]);
            a00 = Avx512F.FusedMultiplyAdd(b, x0, a00);
            a01 = Avx512F.FusedMultiplyAdd(b, x1, a01);
            a02 = Avx512F.FusedMultiplyAdd(b, x2, a02);
            b = Vector512.Create(w[1]);
            a10 = Avx512F.FusedMultiplyAdd(b, x0, a10);
            a11 = Avx512F.FusedMultiplyAdd(b, x1, a11);
            a12 = Avx512F.FusedMultiplyAdd(b, x2, a12);
            b = Vector512.Create(w[2]);
            a20 = Avx512F.FusedMultiplyAdd(b, x0, a20);
            a21 = Avx512F.FusedMultiplyAdd(b, x1, a21);
            a22 = Avx512F.FusedMultiplyAdd(b, x2, a22);
            b = Vector512.Create(w[3]);
            a30 = Avx512F.FusedMultiplyAdd(b, x0, a30);
            a31 = Avx512F.FusedMultiplyAdd(b, x1, a31);
            a32 = Avx512F.FusedMultiplyAdd(b, x2, a32);
            b = Vector512.Create(w[4]);
            a40 = Avx512F.FusedMultiplyAdd(b, x0, a40);
            a41 = Avx512F.FusedMultiplyAdd(b, x1, a41);
            a42 = Avx512F.FusedMultiplyAdd(b, x2, a42);
            b = Vector512.Create(w[5]);
            a50 = Avx512F.FusedMultiplyAdd(b, x0, a50);
            a51 = Avx512F.FusedMultiplyAdd(b, x1, a51);
            a52 = Avx512F.FusedMultiplyAdd(b, x2, a52);
            b = Vector512.Create(w[6]);
            a60 = Avx512F.FusedMultiplyAdd(b, x0, a60);
            a61 = Avx512F.FusedMultiplyAdd(b, x1, a61);
            a62 = Avx512F.FusedMultiplyAdd(b, x2, a62);
            b = Vector512.Create(w[7]);
            a70 = Avx512F.FusedMultiplyAdd(b, x0, a70);
            a71 = Avx512F.FusedMultiplyAdd(b, x1, a71);
            a72 = Avx512F.FusedMultiplyAdd(b, x2, a72);
        }

        a00.Store(y);
        a01.Store(y + 16);
        a02.Store(y + 32);
        a10.Store(y + pitch);
        a11.Store(y + pitch + 16);
        a12.Store(y + pitch + 32);
        a20.Store(y + (2 * pitch));
        a21.Store(y + (2 * pitch) + 16);
        a22.Store(y + (2 * pitch) + 32);
        a30.Store(y + (3 * pitch));
        a31.Store(y + (3 * pitch) + 16);
        a32.Store(y + (3 * pitch) + 32);
        a40.Store(y + (4 * pitch));
        a41.Store(y + (4 * pitch) + 16);
        a42.Store(y + (4 * pitch) + 32);
        a50.Store(y + (5 * pitch));
        a51.Store(y + (5 * pitch) + 16);
        a52.Store(y + (5 * pitch) + 32);
        a60.Store(y + (6 * pitch));
        a61.Store(y + (6 * pitch) + 16);
        a62.Store(y + (6 * pitch) + 32);
        a70.Store(y + (7 * pitch));
        a71.Store(y + (7 * pitch) + 16);
        a72.Store(y + (7 * pitch) + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x32(float* x, int* offsets, int terms, float* w, float* y, int pitch)
    {
        Vector512<float> a00 = default, a01 = default;
        Vector512<float> a10 = default, a11 = default;
        Vector512<float> a20 = default, a21 = default;
        Vector512<float> a30 = default, a31 = default;
        Vector512<float> a40 = default, a41 = default;
        Vector512<float> a50 = default, a51 = default;
        Vector512<float> a60 = default, a61 = default;
        Vector512<float> a70 = default, a71 = default;
        for (var j = 0; j < terms; j++, w += Rows)
        {
            var from = x + offsets[j];
            var x0 = Vector512.Load(from);
            var x1 = Vector512.Load(from + 16);
            var b = Vector512.Create(w[0]);
            a00 = Avx512F.FusedMultiplyAdd(b, x0, a00);
            a01 = Avx512F.FusedMultiplyAdd(b, x1, a01);
            b = Vector512.Create(w[1]);
            a10 = Avx512F.FusedMultiplyAdd(b, x0, a10);
            a11 = Avx512F.FusedMultiplyAdd(b, x1, a11);
            b = Vector512.Create(w[2]);
            a20 = Avx512F.FusedMultiplyAdd(b, x0, a20);
            a21 = Avx512F.FusedMultiplyAdd(b, x1, a21);
            b = Vector512.Create(w[3]);
            a30 = Avx512F.FusedMultiplyAdd(b, x0, a30);
            a31 = Avx512F.FusedMultiplyAdd(b, x1, a31);
            b = Vector512.Create(w[4]);
            a40 = Avx512F.FusedMultiplyAdd(b, x0, a40);
            a41 = Avx512F.FusedMultiplyAdd(b, x1, a41);
            b = Vector512.Create(w[5]);
            a50 = Avx512F.FusedMultiplyAdd(b, x0, a50);
            a51 = Avx512F.FusedMultiplyAdd(b, x1, a51);
            b = Vector512.Create(w[6]);
            a60 = Avx512F.FusedMultiplyAdd(b, x0, a60);
            a61 = Avx512F.FusedMultiplyAdd(b, x1, a61);
            b = Vector512.Create(w[7]);
            a70 = Avx512F.FusedMultiplyAdd(b, x0, a70);
            a71 = Avx512F.FusedMultiplyAdd(b, x1, a71);
        }

        a00.Store(y);
        a01.Store(y + 16);
        a10.Store(y + pitch);
        a11.Store(y + pitch + 16);
        a20.Store(y + (2 * pitch));
        a21.Store(y + (2 * pitch) + 16);
        a30.Store(y + (3 * pitch));
        a31.Store(y + (3 * pitch) + 16);
        a40.Store(y + (4 * pitch));
        a41.Store(y + (4 * pitch) + 16);
        a50.Store(y + (5 * pitch));
        a51.Store(y + (5 * pitch) + 16);
        a60.Store(y + (6 * pitch));
        a61.Store(y + (6 * pitch) + 16);
        a70.Store(y + (7 * pitch));
        a71.Store(y + (7 * pitch) + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x16(float* x, int* offsets, int terms, float* w, float* y, int pitch)
    {
        Vector512<float> a00 = default;
        Vector512<float> a10 = default;
        Vector512<float> a20 = default;
        Vector512<float> a30 = default;
        Vector512<float> a40 = default;
        Vector512<float> a50 = default;
        Vector512<float> a60 = default;
        Vector512<float> a70 = default;
        for (var j = 0; j < terms; j++, w += Rows)
        {
            var from = x + offsets[j];
            var x0 = Vector512.Load(from);
            a00 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[0]), x0, a00);
            a10 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[1]), x0, a10);
            a20 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[2]), x0, a20);
            a30 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[3]), x0, a30);
            a40 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[4]), x0, a40);
            a50 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[5]), x0, a50);
            a60 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[6]), x0, a60);
            a70 = Avx512F.FusedMultiplyAdd(Vector512.Create(w[7]), x0, a70);
        }

        a00.Store(y);
        a10.Store(y + pitch);
        a20.Store(y + (2 * pitch));
        a30.Store(y + (3 * pitch));
        a40.Store(y + (4 * pitch));
        a50.Store(y + (5 * pitch));
        a60.Store(y + (6 * pitch));
        a70.Store(y + (7 * pitch));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x24(float* x, int* offsets, int terms, float* w, float* y, int pitch)
    {
        Vector256<float> a00 = default, a01 = default, a02 = default;
        Vector256<float> a10 = default, a11 = default, a12 = default;
        Vector256<float> a20 = default, a21 = default, a22 = default;
        Vector256<float> a30 = default, a31 = default, a32 = default;
        for (var j = 0; j < terms; j++, w += Rows)
        {
            var from = x + offsets[j];
            var x0 = Vector256.Load(from);
            var x1 = Vector256.Load(from + 8);
            var x2 = Vector256.Load(from + 16);
            var b = Vector256.Create(w[0]);
            a00 = Fma.MultiplyAdd(b, x0, a00);
            a01 = Fma.MultiplyAdd(b, x1, a01);
            a02 = Fma.MultiplyAdd(b, x2, a02);
            b = Vector256.Create(w[1]);
            a10 = Fma.MultiplyAdd(b, x0, a10);
            a11 = Fma.MultiplyAdd(b, x1, a11);
            a12 = Fma.MultiplyAdd(b, x2, a12);
            b = Vector256.Create(w[2]);
            a20 = Fma.MultiplyAdd(b, x0, a20);
            a21 = Fma.MultiplyAdd(b, x1, a21);
            a22 = Fma.MultiplyAdd(b, x2, a22);
            b = Vector256.Create(w[3]);
            a30 = Fma.MultiplyAdd(b, x0, a30);
            a31 = Fma.MultiplyAdd(b, x1, a31);
            a32 = Fma.MultiplyAdd(b, x2, a32);
        }

        a00.Store(y);
        a01.Store(y + 8);
        a02.Store(y + 16);
        a10.Store(y + pitch);
        a11.Store(y + pitch + 8);
        a12.Store(y + pitch + 16);
        a20.Store(y + (2 * pitch));
        a21.Store(y + (2 * pitch) + 8);
        a22.Store(y + (2 * pitch) + 16);
        a30.Store(y + (3 * pitch));
        a31.Store(y + (3 * pitch) + 8);
        a32.Store(y + (3 * pitch) + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x8(float* x, int* offsets, int terms, float* w, float* y, int pitch)
    {
        Vector256<float> a00 = default;
        Vector256<float> a10 = default;
        Vector256<float> a20 = default;
        Vector256<float> a30 = default;
        Vector256<float> a40 = default;
        Vector256<float> a50 = default;
        Vector256<float> a60 = default;
        Vector256<float> a70 = default;
        for (var j = 0; j < terms; j++, w += Rows)
        {
            var from = x + offsets[j];
            var x0 = Vector256.Load(from);
            a00 = Fma.MultiplyAdd(Vector256.Create(w[0]), x0, a00);
            a10 = Fma.MultiplyAdd(Vector256.Create(w[1]), x0, a10);
            a20 = Fma.MultiplyAdd(Vector256.Create(w[2]), x0, a20);
            a30 = Fma.MultiplyAdd(Vector256.Create(w[3]), x0, a30);
            a40 = Fma.MultiplyAdd(Vector256.Create(w[4]), x0, a40);
            a50 = Fma.MultiplyAdd(Vector256.Create(w[5]), x0, a50);
            a60 = Fma.MultiplyAdd(Vector256.Create(w[6]), x0, a60);
            a70 = Fma.MultiplyAdd(Vector256.Create(w[7]), x0, a70);
        }

        a00.Store(y);
        a10.Store(y + pitch);
        a20.Store(y + (2 * pitch));
        a30.Store(y + (3 * pitch));
        a40.Store(y + (4 * pitch));
        a50.Store(y + (5 * pitch));
        a60.Store(y + (6 * pitch));
        a70.Store(y + (7 * pitch));
    }
}
