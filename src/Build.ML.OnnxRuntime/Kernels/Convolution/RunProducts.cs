using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>
/// Inner products of runs with shifted runs, eight by three at a time: d[r][t] += Σ over images and i of g[r][i]·x[offset[t] + i]. A sum is taken over 16 lanes with fused multiply-add,
/// lanes are added at the end in one order, so the width of the machine's vectors changes no bit.
/// </summary>
internal static unsafe class RunProducts
{
    /// <summary>Runs of g taken at a time.</summary>
    public const int Rows = 8;

    /// <summary>Shifted runs taken at a time.</summary>
    public const int Terms = 3;

    /// <summary>Sums of one call: eight by three.</summary>
    public const int Sums = Rows * Terms;

    /// <summary>The runs of a number of images.</summary>
    /// <param name="G">Runs [images][rows][pitch].</param>
    /// <param name="GImage">Floats from one image's runs to the next's.</param>
    /// <param name="Pitch">Floats from one run to the next.</param>
    /// <param name="X">What is shifted [images][…].</param>
    /// <param name="XImage">Floats from one image to the next.</param>
    /// <param name="Images">Number of images.</param>
    /// <param name="Length">Length of a run, a multiple of 16.</param>
    public readonly record struct Operands(nint G, int GImage, int Pitch, nint X, int XImage, int Images, int Length);

    /// <summary>Adds eight by three products.</summary>
    /// <param name="o">Runs; G at the first of eight.</param>
    /// <param name="offsets">Offsets of three shifted runs.</param>
    /// <param name="sums">[8][3], added to.</param>
    public static void Add(in Operands o, int* offsets, float* sums)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Add8(o, offsets, sums);
        }
        else
        {
            AddNarrow(o, offsets, sums);
        }
    }

    /// <summary>With vectors of 256 bits.</summary>
    internal static void AddNarrow(in Operands o, int* offsets, float* sums)
    {
        for (var row = 0; row < Rows; row += 2)
        {
            Add2(o with { G = o.G + (row * o.Pitch * sizeof(float)) }, offsets, sums + (row * Terms));
        }
    }

    /// <summary>With vectors of 512 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Add8(in Operands o, int* offsets, float* sums)
    {
        Vector512<float> a00 = default, a01 = default, a02 = default;
        Vector512<float> a10 = default, a11 = default, a12 = default;
        Vector512<float> a20 = default, a21 = default, a22 = default;
        Vector512<float> a30 = default, a31 = default, a32 = default;
        Vector512<float> a40 = default, a41 = default, a42 = default;
        Vector512<float> a50 = default, a51 = default, a52 = default;
        Vector512<float> a60 = default, a61 = default, a62 = default;
        Vector512<float> a70 = default, a71 = default, a72 = default;
        var g = (float*)o.G;
        var x = (float*)o.X;
        var length = o.Length;
        var pitch = o.Pitch;
        for (var image = 0; image < o.Images; image++, g += o.GImage, x += o.XImage)
        {
            var x0 = x + offsets[0];
            var x1 = x + offsets[1];
            var x2 = x + offsets[2];
            var g0 = g;
            var g4 = g + (4 * pitch);
            for (var i = 0; i < length; i += 16)
            {
                var (b0, b1, b2) = (Vector512.Load(x0 + i), Vector512.Load(x1 + i), Vector512.Load(x2 + i));
                var c = Vector512.Load(g0 + i);
                a00 = Avx512F.FusedMultiplyAdd(c, b0, a00);
                a01 = Avx512F.FusedMultiplyAdd(c, b1, a01);
                a02 = Avx512F.FusedMultiplyAdd(c, b2, a02);
                c = Vector512.Load(g0 + pitch + i);
                a10 = Avx512F.FusedMultiplyAdd(c, b0, a10);
                a11 = Avx512F.FusedMultiplyAdd(c, b1, a11);
                a12 = Avx512F.FusedMultiplyAdd(c, b2, a12);
                c = Vector512.Load(g0 + (2 * pitch) + i);
                a20 = Avx512F.FusedMultiplyAdd(c, b0, a20);
                a21 = Avx512F.FusedMultiplyAdd(c, b1, a21);
                a22 = Avx512F.FusedMultiplyAdd(c, b2, a22);
                c = Vector512.Load(g0 + (3 * pitch) + i);
                a30 = Avx512F.FusedMultiplyAdd(c, b0, a30);
                a31 = Avx512F.FusedMultiplyAdd(c, b1, a31);
                a32 = Avx512F.FusedMultiplyAdd(c, b2, a32);
                c = Vector512.Load(g4 + i);
                a40 = Avx512F.FusedMultiplyAdd(c, b0, a40);
                a41 = Avx512F.FusedMultiplyAdd(c, b1, a41);
                a42 = Avx512F.FusedMultiplyAdd(c, b2, a42);
                c = Vector512.Load(g4 + pitch + i);
                a50 = Avx512F.FusedMultiplyAdd(c, b0, a50);
                a51 = Avx512F.FusedMultiplyAdd(c, b1, a51);
                a52 = Avx512F.FusedMultiplyAdd(c, b2, a52);
                c = Vector512.Load(g4 + (2 * pitch) + i);
                a60 = Avx512F.FusedMultiplyAdd(c, b0, a60);
                a61 = Avx512F.FusedMultiplyAdd(c, b1, a61);
                a62 = Avx512F.FusedMultiplyAdd(c, b2, a62);
                c = Vector512.Load(g4 + (3 * pitch) + i);
                a70 = Avx512F.FusedMultiplyAdd(c, b0, a70);
                a71 = Avx512F.FusedMultiplyAdd(c, b1, a71);
                a72 = Avx512F.FusedMultiplyAdd(c, b2, a72);
            }
        }

        Add(a00, a01, a02, a10, sums);
        Add(a11, a12, a20, a21, sums + 4);
        Add(a22, a30, a31, a32, sums + 8);
        Add(a40, a41, a42, a50, sums + 12);
        Add(a51, a52, a60, a61, sums + 16);
        Add(a62, a70, a71, a72, sums + 20);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add2(in Operands o, int* offsets, float* sums)
    {
        Vector256<float> a00 = default, h00 = default, a01 = default, h01 = default, a02 = default, h02 = default;
        Vector256<float> a10 = default, h10 = default, a11 = default, h11 = default, a12 = default, h12 = default;
        var g = (float*)o.G;
        var x = (float*)o.X;
        var length = o.Length;
        var pitch = o.Pitch;
        for (var image = 0; image < o.Images; image++, g += o.GImage, x += o.XImage)
        {
            for (var i = 0; i < length; i += 16)
            {
                var (c0, c1) = (Vector256.Load(g + i), Vector256.Load(g + pitch + i));
                var b = Vector256.Load(x + offsets[0] + i);
                a00 = Fma.MultiplyAdd(c0, b, a00);
                a10 = Fma.MultiplyAdd(c1, b, a10);
                b = Vector256.Load(x + offsets[1] + i);
                a01 = Fma.MultiplyAdd(c0, b, a01);
                a11 = Fma.MultiplyAdd(c1, b, a11);
                b = Vector256.Load(x + offsets[2] + i);
                a02 = Fma.MultiplyAdd(c0, b, a02);
                a12 = Fma.MultiplyAdd(c1, b, a12);
                (c0, c1) = (Vector256.Load(g + i + 8), Vector256.Load(g + pitch + i + 8));
                b = Vector256.Load(x + offsets[0] + i + 8);
                h00 = Fma.MultiplyAdd(c0, b, h00);
                h10 = Fma.MultiplyAdd(c1, b, h10);
                b = Vector256.Load(x + offsets[1] + i + 8);
                h01 = Fma.MultiplyAdd(c0, b, h01);
                h11 = Fma.MultiplyAdd(c1, b, h11);
                b = Vector256.Load(x + offsets[2] + i + 8);
                h02 = Fma.MultiplyAdd(c0, b, h02);
                h12 = Fma.MultiplyAdd(c1, b, h12);
            }
        }

        Add(a00 + h00, a01 + h01, a02 + h02, a10 + h10, sums);
        sums[4] += Sum(a11 + h11);
        sums[5] += Sum(a12 + h12);
    }

    // Lanes are added in halves: 16 to 8 to 4, and these as (0 + 1) + (2 + 3).
    private static void Add(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* sums) =>
        Add(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper(), sums);

    private static void Add(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, float* sums) => (Vector128.Load(sums)
        + Sse3.HorizontalAdd(
            Sse3.HorizontalAdd(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper()),
            Sse3.HorizontalAdd(c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper()))).Store(sums);

    /// <summary>The sum of the lanes, in the order of the others.</summary>
    internal static float Sum(Vector256<float> lanes)
    {
        var four = lanes.GetLower() + lanes.GetUpper();
        return four[0] + four[1] + (four[2] + four[3]);
    }
}
