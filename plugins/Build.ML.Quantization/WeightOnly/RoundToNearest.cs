using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>The scale by the block's extremes, each weight to the nearest code.</summary>
internal sealed class RoundToNearest : BlockSolver
{
    private const int MostSummed = 2048; // in single precision, so that rounding stays far below the noise

    /// <inheritdoc/>
    public override (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes)
    {
        var (scale, zeroPoint) = BlockKernels.Fit(format, block);
        BlockKernels.Round(format, block, scale, zeroPoint, codes);
        return (scale, zeroPoint);
    }

    /// <summary>The same for many blocks, rounding and error in one pass: this is what a large file waits for.</summary>
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override WeightError SolveRow(
        BlockFormat format, int size, ReadOnlySpan<float> weights, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints)
    {
        if (size % 16 != 0 || weights.Length % size != 0 || size > MostSummed)
        {
            return base.SolveRow(format, size, weights, codes, scales, zeroPoints);
        }

        ref var x = ref Unsafe.AsRef(in weights[0]);
        ref var q = ref codes[0];
        int least = format.Least, greatest = format.Greatest;
        double signal = 0, noise = 0;
        var signals = Vector256<float>.Zero;
        var noises = Vector256<float>.Zero;
        var summed = 0;
        for (int start = 0, index = 0; start < weights.Length; start += size, index++)
        {
            BlockKernels.Extremes(weights.Slice(start, size), out var minimum, out var maximum);
            var (scale, zeroPoint) = BlockKernels.Fit(format, minimum, maximum);
            scales[index] = scale;
            if (zeroPoints.Length > 0)
            {
                zeroPoints[index] = zeroPoint;
            }

            var step = Vector256.Create(scale);
            var inverse = Vector256.Create(1 / scale);
            var low = Vector256.Create((float)(least - zeroPoint));
            var high = Vector256.Create((float)(greatest - zeroPoint));
            var zero = Vector256.Create((int)zeroPoint);
            for (var i = (nuint)start; i < (nuint)(start + size); i += 16)
            {
                var a = Vector256.LoadUnsafe(ref x, i);
                var b = Vector256.LoadUnsafe(ref x, i + 8);
                var qa = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(a * inverse), low), high);
                var qb = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(b * inverse), low), high);
                var shorts = Vector256.Narrow(Vector256.ConvertToInt32Native(qa) + zero, Vector256.ConvertToInt32Native(qb) + zero);
                Vector128.Narrow(shorts.GetLower(), shorts.GetUpper()).AsByte().StoreUnsafe(ref q, i);
                var ea = a - qa * step;
                var eb = b - qb * step;
                signals += a * a + b * b;
                noises += ea * ea + eb * eb;
            }

            summed += size;
            if (summed >= MostSummed)
            {
                signal += Vector256.Sum(signals);
                noise += Vector256.Sum(noises);
                (signals, noises, summed) = (Vector256<float>.Zero, Vector256<float>.Zero, 0);
            }
        }

        return new(signal + Vector256.Sum(signals), noise + Vector256.Sum(noises));
    }

    /// <inheritdoc/>
    public override bool TakesStored(int size, BlockQuantizedMatrix matrix, WeightTile tile) => StoredRounding.Takes(size, matrix, tile);

    /// <inheritdoc/>
    public override WeightError SolveStored(int size, ReadOnlySpan<float> stored, int stride, BlockQuantizedMatrix matrix, WeightTile tile) =>
        StoredRounding.Round(size, stored, stride, matrix, tile);
}
