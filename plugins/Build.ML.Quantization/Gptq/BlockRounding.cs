using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>Rounding to nearest under scales that a matrix already holds.</summary>
internal static class BlockRounding
{
    /// <summary>Writes the codes of a row of weights.</summary>
    public static void ToNearest(BlockQuantizedMatrix matrix, int row, ReadOnlySpan<float> weights, Span<byte> codes)
    {
        var size = matrix.Format.Block(matrix.Columns);
        var scales = matrix.ScalesOf(row);
        for (var block = 0; block < matrix.Blocks; block++)
        {
            var start = block * size;
            var count = Math.Min(size, matrix.Columns - start);
            var zeroPoint = matrix.Format.Symmetric ? matrix.Format.Middle : matrix.ZeroPointsOf(row)[block];
            BlockKernels.Round(matrix.Format, weights.Slice(start, count), scales[block], zeroPoint, codes.Slice(start, count));
        }
    }
}
