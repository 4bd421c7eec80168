using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.Calibration.Layers;

/// <summary>Exchanges rows and columns.</summary>
public static class Transposition
{
    /// <summary>to[c, r] = from[r, c].</summary>
    /// <param name="from">[rows, columns].</param>
    /// <param name="rows">Rows of <paramref name="from"/>.</param>
    /// <param name="columns">Columns of <paramref name="from"/>.</param>
    /// <param name="fromStride">Elements from one row of <paramref name="from"/> to the next.</param>
    /// <param name="to">[columns, rows].</param>
    /// <param name="toStride">Elements from one row of <paramref name="to"/> to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Turn(ReadOnlySpan<float> from, int rows, int columns, int fromStride, Span<float> to, int toStride)
    {
        var wholeRows = Avx.IsSupported ? rows & ~7 : 0;
        var wholeColumns = columns & ~7;
        for (var r = 0; r < wholeRows; r += 8)
        {
            for (var c = 0; c < wholeColumns; c += 8)
            {
                Turn8(ref Unsafe.AsRef(in from[r * fromStride + c]), fromStride, ref to[c * toStride + r], toStride);
            }

            TurnOneByOne(from, r, r + 8, wholeColumns, columns, fromStride, to, toStride);
        }

        TurnOneByOne(from, wholeRows, rows, 0, columns, fromStride, to, toStride);
    }

    private static void TurnOneByOne(
        ReadOnlySpan<float> from, int firstRow, int lastRow, int firstColumn, int lastColumn, int fromStride, Span<float> to, int toStride)
    {
        for (var r = firstRow; r < lastRow; r++)
        {
            for (var c = firstColumn; c < lastColumn; c++)
            {
                to[c * toStride + r] = from[r * fromStride + c];
            }
        }
    }

    /// <summary>8 × 8: pairs within lanes, then pairs of pairs, then lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn8(ref float from, int fromStride, ref float to, int toStride)
    {
        var stride = (nuint)fromStride;
        var a0 = Vector256.LoadUnsafe(ref from);
        var a1 = Vector256.LoadUnsafe(ref from, stride);
        var a2 = Vector256.LoadUnsafe(ref from, stride * 2);
        var a3 = Vector256.LoadUnsafe(ref from, stride * 3);
        var a4 = Vector256.LoadUnsafe(ref from, stride * 4);
        var a5 = Vector256.LoadUnsafe(ref from, stride * 5);
        var a6 = Vector256.LoadUnsafe(ref from, stride * 6);
        var a7 = Vector256.LoadUnsafe(ref from, stride * 7);
        var b0 = Avx.UnpackLow(a0, a1);
        var b1 = Avx.UnpackHigh(a0, a1);
        var b2 = Avx.UnpackLow(a2, a3);
        var b3 = Avx.UnpackHigh(a2, a3);
        var b4 = Avx.UnpackLow(a4, a5);
        var b5 = Avx.UnpackHigh(a4, a5);
        var b6 = Avx.UnpackLow(a6, a7);
        var b7 = Avx.UnpackHigh(a6, a7);
        var c0 = Avx.Shuffle(b0, b2, 0x44);
        var c1 = Avx.Shuffle(b0, b2, 0xEE);
        var c2 = Avx.Shuffle(b1, b3, 0x44);
        var c3 = Avx.Shuffle(b1, b3, 0xEE);
        var c4 = Avx.Shuffle(b4, b6, 0x44);
        var c5 = Avx.Shuffle(b4, b6, 0xEE);
        var c6 = Avx.Shuffle(b5, b7, 0x44);
        var c7 = Avx.Shuffle(b5, b7, 0xEE);
        stride = (nuint)toStride;
        Avx.Permute2x128(c0, c4, 0x20).StoreUnsafe(ref to);
        Avx.Permute2x128(c1, c5, 0x20).StoreUnsafe(ref to, stride);
        Avx.Permute2x128(c2, c6, 0x20).StoreUnsafe(ref to, stride * 2);
        Avx.Permute2x128(c3, c7, 0x20).StoreUnsafe(ref to, stride * 3);
        Avx.Permute2x128(c0, c4, 0x31).StoreUnsafe(ref to, stride * 4);
        Avx.Permute2x128(c1, c5, 0x31).StoreUnsafe(ref to, stride * 5);
        Avx.Permute2x128(c2, c6, 0x31).StoreUnsafe(ref to, stride * 6);
        Avx.Permute2x128(c3, c7, 0x31).StoreUnsafe(ref to, stride * 7);
    }
}
