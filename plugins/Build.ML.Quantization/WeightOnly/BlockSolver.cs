using System.Runtime.CompilerServices;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>Finds scale, zero point and codes of blocks from their weights alone. Any number of threads may call it.</summary>
internal abstract class BlockSolver
{
    /// <summary>Solves a block.</summary>
    /// <param name="format">The format.</param>
    /// <param name="block">Weights, all finite.</param>
    /// <param name="codes">As many; receives the codes.</param>
    /// <returns>What codes stand for.</returns>
    public abstract (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes);

    /// <summary>Solves the blocks of a row, or of a part of it, one after the other.</summary>
    /// <param name="format">The format.</param>
    /// <param name="size">Weights of a block; the last one may be shorter.</param>
    /// <param name="weights">Weights.</param>
    /// <param name="codes">As many; receives the codes.</param>
    /// <param name="scales">One for each block.</param>
    /// <param name="zeroPoints">One for each block, or none where the format is symmetric.</param>
    /// <returns>What the codes make of the weights; not finite where a weight is not.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public virtual WeightError SolveRow(
        BlockFormat format, int size, ReadOnlySpan<float> weights, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints)
    {
        double signal = 0, noise = 0;
        for (int start = 0, index = 0; start < weights.Length; start += size, index++)
        {
            var block = weights.Slice(start, Math.Min(size, weights.Length - start));
            var result = codes.Slice(start, block.Length);
            (scales[index], var zeroPoint) = Solve(format, block, result);
            if (zeroPoints.Length > 0)
            {
                zeroPoints[index] = zeroPoint;
            }

            float blockSignal = 0, blockNoise = 0;
            BlockKernels.AddError(block, result, scales[index], zeroPoint, ref blockSignal, ref blockNoise);
            signal += blockSignal;
            noise += blockNoise;
        }

        return new(signal, noise);
    }

    /// <summary>Whether <see cref="SolveStored"/> does for such a tile, so that it need not be turned first.</summary>
    public virtual bool TakesStored(int size, BlockQuantizedMatrix matrix, WeightTile tile) => false;

    /// <summary>Solves the blocks of a tile whose numbers lie column by column, as MatMul stores them.</summary>
    /// <param name="size">Weights of a block.</param>
    /// <param name="stored">The tile as [columns, rows].</param>
    /// <param name="stride">Numbers from one stored column to the next.</param>
    /// <param name="matrix">Receives codes, scales and zero points.</param>
    /// <param name="tile">Where in the matrix.</param>
    /// <returns>What the codes make of the weights; not finite where a weight is not.</returns>
    public virtual WeightError SolveStored(int size, ReadOnlySpan<float> stored, int stride, BlockQuantizedMatrix matrix, WeightTile tile) =>
        throw new NotSupportedException();
}
