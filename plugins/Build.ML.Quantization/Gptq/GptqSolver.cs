using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>What solving a matrix came to.</summary>
/// <param name="Error">Mean over inputs of the squared error of all outputs, of the solution: trace((W−Ŵ)·(H+λI)·(W−Ŵ)ᵀ)/2 over the rows measured.</param>
/// <param name="NearestError">The same of rounding each weight to nearest under the same scales.</param>
internal readonly record struct GptqErrors(double Error, double NearestError)
{
    /// <summary>Both of several matrices that are one layer's.</summary>
    public static GptqErrors operator +(GptqErrors a, GptqErrors b) => new(a.Error + b.Error, a.NearestError + b.NearestError);
}

/// <summary>
/// Chooses codes for a matrix whose scales are fixed, so that the layer's output changes least on the calibration data. Rows do not depend on each other: tiles of
/// <see cref="GptqTile.Lanes"/> rows are solved by different threads, with the same bits for any number of them.
/// </summary>
internal static class GptqSolver
{
    // Rows that errors are measured on, evenly spread.
    private const int MeasuredRows = GptqTile.Lanes;

    /// <summary>Fills the codes of some rows.</summary>
    /// <param name="factor">Of the Hessian of the inputs.</param>
    /// <param name="read">Writes a row of the weight; called from several threads.</param>
    /// <param name="matrix">Holds scales and zero points for each block of the original columns; gets the codes.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="threads">Cores to use.</param>
    /// <param name="cancellation">Stops between tiles.</param>
    public static void Solve(
        GptqFactor factor, Action<int, Span<float>> read, BlockQuantizedMatrix matrix, int firstRow, int rows, int threads, CancellationToken cancellation = default)
    {
        var tiles = (rows + GptqTile.Lanes - 1) / GptqTile.Lanes;
        TaskQueue.Run(tiles, threads, () => new GptqTile(factor, matrix.Blocks), (tile, i) =>
        {
            var first = i * GptqTile.Lanes;
            var indices = new int[Math.Min(GptqTile.Lanes, rows - first)];
            for (var lane = 0; lane < indices.Length; lane++)
            {
                indices[lane] = firstRow + first + lane;
            }

            tile.Solve(read, matrix, indices);
        }, cancellation);
    }

    /// <summary>Measures errors of a solution, and of rounding to nearest, on rows evenly spread.</summary>
    /// <param name="factor">Of the Hessian of the inputs.</param>
    /// <param name="read">Writes a row of the weight.</param>
    /// <param name="matrix">The solution.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    public static GptqErrors Measure(GptqFactor factor, Action<int, Span<float>> read, BlockQuantizedMatrix matrix, int firstRow, int rows)
    {
        var measured = new int[Math.Min(rows, MeasuredRows)];
        for (var i = 0; i < measured.Length; i++)
        {
            measured[i] = firstRow + (int)((long)i * rows / measured.Length);
        }

        using var tile = new GptqTile(factor, matrix.Blocks);
        var format = matrix.Format;
        var codes = new byte[matrix.Columns];
        var rounded = new float[matrix.Columns];
        var error = tile.Error((row, difference) => Difference(row, difference, matrix.CodesOf(row)), measured);
        var nearest = tile.Error(
            (row, difference) =>
            {
                read(row, difference);
                BlockRounding.ToNearest(matrix, row, difference, codes);
                Difference(row, difference, codes);
            },
            measured);
        return new(error / 2, nearest / 2);

        void Difference(int row, Span<float> difference, ReadOnlySpan<byte> chosen)
        {
            read(row, difference);
            BlockKernels.DequantizeRow(format, chosen, matrix.ScalesOf(row), matrix.ZeroPointsOf(row), rounded);
            System.Numerics.Tensors.TensorPrimitives.Subtract(difference, rounded, difference);
        }
    }
}
