using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// The loops over blocks: fitting by extremes, rounding, dequantizing, packing. One thread each; the callers divide the work. Compiled fully at once: a step over gigabytes can be done before the runtime
/// would come to it.
/// </summary>
internal static class BlockKernels
{
    /// <summary>
    /// Scale and zero point of a block by its extremes. Symmetric: scale = −extreme / 2^(bits−1), so that the extreme gets the least code. Asymmetric: the range, widened to
    /// hold 0, over all codes; 0 is exact.
    /// </summary>
    public static (float Scale, byte ZeroPoint) Fit(BlockFormat format, ReadOnlySpan<float> block)
    {
        Extremes(block, out var low, out var high);
        return Fit(format, low, high);
    }

    /// <summary>As the other overload, from extremes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (float Scale, byte ZeroPoint) Fit(BlockFormat format, float low, float high)
    {
        if (format.Symmetric)
        {
            // On a tie the positive extreme: which one does not matter, but it must not depend on the order of reading.
            var extreme = high >= -low ? high : low;
            return (format.Storable(extreme / -(format.Levels / 2d)), (byte)format.Middle);
        }

        low = Math.Min(low, 0);
        high = Math.Max(high, 0);
        var scale = format.Storable(((double)high - low) / (format.Levels - 1));
        return (scale, (byte)Math.Clamp(Math.Round(-low / scale), 0, format.Greatest));
    }

    /// <summary>code = clamp(round(x / scale) + zero point), halves to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(BlockFormat format, ReadOnlySpan<float> block, float scale, int zeroPoint, Span<byte> codes)
    {
        ref var x = ref Unsafe.AsRef(in block[0]);
        ref var q = ref codes[0];
        var inverse = 1 / scale;
        int least = format.Least, greatest = format.Greatest;
        var factor = Vector256.Create(inverse);
        var zero = Vector256.Create((float)zeroPoint);
        var low = Vector256.Create((float)least);
        var high = Vector256.Create((float)greatest);
        nuint i = 0;
        for (; i + 16 <= (nuint)block.Length; i += 16)
        {
            var a = Round(Vector256.LoadUnsafe(ref x, i), factor, zero, low, high);
            var b = Round(Vector256.LoadUnsafe(ref x, i + 8), factor, zero, low, high);
            var shorts = Vector256.Narrow(a, b);
            Vector128.Narrow(shorts.GetLower(), shorts.GetUpper()).AsByte().StoreUnsafe(ref q, i);
        }

        for (; i < (nuint)block.Length; i++)
        {
            Unsafe.Add(ref q, i) = (byte)Math.Clamp(MathF.Round(Unsafe.Add(ref x, i) * inverse) + zeroPoint, least, greatest);
        }
    }

    /// <summary>Σ(x − x̂)² of a block rounded under a scale and zero point.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SquaredError(BlockFormat format, ReadOnlySpan<float> block, float scale, int zeroPoint)
    {
        ref var x = ref Unsafe.AsRef(in block[0]);
        var inverse = 1 / scale;
        float least = format.Least - zeroPoint, greatest = format.Greatest - zeroPoint;
        var factor = Vector256.Create(inverse);
        var back = Vector256.Create(scale);
        var low = Vector256.Create(least);
        var high = Vector256.Create(greatest);
        var sums = Vector256<float>.Zero;
        nuint i = 0;
        for (; i + 8 <= (nuint)block.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref x, i);
            var q = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(v * factor), low), high);
            var e = v - q * back;
            sums += e * e;
        }

        var sum = Vector256.Sum(sums);
        for (; i < (nuint)block.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            var e = v - Math.Clamp(MathF.Round(v * inverse), least, greatest) * scale;
            sum += e * e;
        }

        return sum;
    }

    /// <summary>The scale that fits a block's codes best, Σx(q − z) / Σ(q − z)²; the given one where all codes are z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float LeastSquaresScale(BlockFormat format, ReadOnlySpan<float> block, float scale, int zeroPoint)
    {
        var inverse = 1 / scale;
        float least = format.Least - zeroPoint, greatest = format.Greatest - zeroPoint;
        float cross = 0, square = 0;
        foreach (var x in block)
        {
            var q = Math.Clamp(MathF.Round(x * inverse), least, greatest);
            cross += x * q;
            square += q * q;
        }

        return square > 0 ? cross / square : scale;
    }

    /// <summary>Adds Σx² and Σ(x − x̂)² of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddError(
        ReadOnlySpan<float> block, ReadOnlySpan<byte> codes, float scale, int zeroPoint, ref float signal, ref float noise)
    {
        ref var x = ref Unsafe.AsRef(in block[0]);
        ref var q = ref Unsafe.AsRef(in codes[0]);
        var factor = Vector256.Create(scale);
        var zero = Vector256.Create(zeroPoint);
        var signals = Vector256<float>.Zero;
        var noises = Vector256<float>.Zero;
        nuint i = 0;
        for (; i + 8 <= (nuint)block.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref x, i);
            var e = v - Vector256.ConvertToSingle(Widen(ref q, i) - zero) * factor;
            signals += v * v;
            noises += e * e;
        }

        signal += Vector256.Sum(signals);
        noise += Vector256.Sum(noises);
        for (; i < (nuint)block.Length; i++)
        {
            var v = Unsafe.Add(ref x, i);
            var e = v - (Unsafe.Add(ref q, i) - zeroPoint) * scale;
            signal += v * v;
            noise += e * e;
        }
    }

    /// <summary>Fits and rounds each block of a row.</summary>
    /// <param name="format">The format.</param>
    /// <param name="row">Numbers, all finite.</param>
    /// <param name="codes">As many.</param>
    /// <param name="scales">One for each block.</param>
    /// <param name="zeroPoints">One for each block, or none where the format is symmetric.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundRow(BlockFormat format, ReadOnlySpan<float> row, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints)
    {
        var size = format.Block(row.Length);
        for (int start = 0, block = 0; start < row.Length; start += size, block++)
        {
            var part = row.Slice(start, Math.Min(size, row.Length - start));
            var (scale, zeroPoint) = Fit(format, part);
            scales[block] = scale;
            if (!format.Symmetric)
            {
                zeroPoints[block] = zeroPoint;
            }

            Round(format, part, scale, zeroPoint, codes.Slice(start, part.Length));
        }
    }

    /// <summary>(code − zero point)·scale for a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dequantize(ReadOnlySpan<byte> codes, float scale, int zeroPoint, Span<float> destination)
    {
        ref var q = ref Unsafe.AsRef(in codes[0]);
        ref var x = ref destination[0];
        var factor = Vector256.Create(scale);
        var zero = Vector256.Create(zeroPoint);
        nuint i = 0;
        for (; i + 8 <= (nuint)codes.Length; i += 8)
        {
            (Vector256.ConvertToSingle(Widen(ref q, i) - zero) * factor).StoreUnsafe(ref x, i);
        }

        for (; i < (nuint)codes.Length; i++)
        {
            Unsafe.Add(ref x, i) = (Unsafe.Add(ref q, i) - zeroPoint) * scale;
        }
    }

    /// <summary>What the codes of a row stand for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DequantizeRow(
        BlockFormat format, ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, ReadOnlySpan<byte> zeroPoints, Span<float> destination)
    {
        var size = format.Block(codes.Length);
        for (int start = 0, block = 0; start < codes.Length; start += size, block++)
        {
            var length = Math.Min(size, codes.Length - start);
            Dequantize(
                codes.Slice(start, length), scales[block], format.Symmetric ? format.Middle : zeroPoints[block], destination.Slice(start, length));
        }
    }

    /// <summary>Packs codes, the first in the lowest bits of the first byte; bits left over are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> codes, int storageBits, Span<byte> packed)
    {
        if (storageBits == 8)
        {
            codes.CopyTo(packed);
            return;
        }

        var i = 0;
        var used = 0;
        if (storageBits == 4)
        {
            // Each 16-bit pair (high:low byte) becomes low | high << 4: the shift by 4 moves the high byte's nibble to bits 4 to 7.
            for (; i + 32 <= codes.Length; i += 32, used += 16)
            {
                var pairs = Vector256.Create(codes.Slice(i, 32)).AsUInt16();
                var joined = (pairs | Vector256.ShiftRightLogical(pairs, 4)) & Vector256.Create((ushort)0xFF);
                Vector128.Narrow(joined.GetLower(), joined.GetUpper()).CopyTo(packed[used..]);
            }
        }

        var perByte = 8 / storageBits;
        for (; i < codes.Length; i += perByte, used++)
        {
            var value = 0;
            for (var j = 0; j < perByte && i + j < codes.Length; j++)
            {
                value |= codes[i + j] << (j * storageBits);
            }

            packed[used] = (byte)value;
        }
    }

    /// <summary>The reverse of <see cref="Pack"/>.</summary>
    public static void Unpack(ReadOnlySpan<byte> packed, int storageBits, Span<byte> codes)
    {
        var perByte = 8 / storageBits;
        var mask = (1 << storageBits) - 1;
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = (byte)((packed[i / perByte] >> (i % perByte * storageBits)) & mask);
        }
    }

    /// <summary>Least and greatest of numbers, which must not be NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Extremes(ReadOnlySpan<float> values, out float low, out float high)
    {
        ref var x = ref Unsafe.AsRef(in values[0]);
        (low, high) = (x, x);
        nuint i = 0;
        if (values.Length >= 8)
        {
            var minimum = Vector256.LoadUnsafe(ref x);
            var maximum = minimum;
            for (i = 8; i + 8 <= (nuint)values.Length; i += 8)
            {
                var v = Vector256.LoadUnsafe(ref x, i);
                minimum = Vector256.MinNative(minimum, v);
                maximum = Vector256.MaxNative(maximum, v);
            }

            var least = Vector128.MinNative(minimum.GetLower(), minimum.GetUpper());
            var greatest = Vector128.MaxNative(maximum.GetLower(), maximum.GetUpper());
            least = Vector128.MinNative(least, Vector128.Shuffle(least, Vector128.Create(2, 3, 0, 1)));
            greatest = Vector128.MaxNative(greatest, Vector128.Shuffle(greatest, Vector128.Create(2, 3, 0, 1)));
            low = Vector128.MinNative(least, Vector128.Shuffle(least, Vector128.Create(1, 0, 3, 2))).ToScalar();
            high = Vector128.MaxNative(greatest, Vector128.Shuffle(greatest, Vector128.Create(1, 0, 3, 2))).ToScalar();
        }

        for (; i < (nuint)values.Length; i++)
        {
            low = Math.Min(low, Unsafe.Add(ref x, i));
            high = Math.Max(high, Unsafe.Add(ref x, i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(
        Vector256<float> v, Vector256<float> inverse, Vector256<float> zero, Vector256<float> low, Vector256<float> high) =>
        Vector256.ConvertToInt32Native(Vector256.MinNative(Vector256.MaxNative(Vector256.Round(v * inverse) + zero, low), high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(ref byte codes, nuint offset)
    {
        var bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<long>(ref Unsafe.Add(ref codes, offset))).AsByte();
        return Avx2.IsSupported
            ? Avx2.ConvertToVector256Int32(bytes)
            : Vector256.WidenLower(Vector256.WidenLower(bytes.ToVector256Unsafe())).AsInt32();
    }
}
