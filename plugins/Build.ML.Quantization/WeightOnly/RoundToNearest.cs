using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>The scale by the block's extremes, each weight to the nearest code.</summary>
internal sealed class RoundToNearest : BlockSolver
{
    /// <inheritdoc/>
    public override (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes)
    {
        var (scale, zeroPoint) = BlockKernels.Fit(format, block);
        BlockKernels.Round(format, block, scale, zeroPoint, codes);
        return (scale, zeroPoint);
    }
}
