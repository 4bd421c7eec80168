using System.Numerics.Tensors;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>What solving a matrix came to.</summary>
/// <param name="Error">Mean over inputs of the squared error of all outputs, of the solution: trace((W−Ŵ)·(H+λI)·(W−Ŵ)ᵀ)/2 over the rows measured.</param>
/// <param name="NearestError">The same of rounding each weight to nearest under the same scales.</param>
internal readonly record struct GptqErrors(double Error, double NearestError)
{
    /// <summary>The solution's part of what rounding to nearest loses; 1 where neither loses anything.</summary>
    public double Ratio => NearestError > 0 ? Error / NearestError : 1;

    /// <summary>Both of several matrices that are one layer's.</summary>
    public static GptqErrors operator +(GptqErrors a, GptqErrors b) => new(a.Error + b.Error, a.NearestError + b.NearestError);
}

/// <summary>
/// Chooses codes for a matrix whose scales are fixed, so that the layer's output changes least on the calibration data. Rows do not depend on each other: tiles of
/// <see cref="ResidualTile.Lanes"/> rows are solved by different threads, with the same bits for any number of them.
/// </summary>
internal static class GptqSolver
{
    // Errors are measured on runs of rows, evenly spread.
    private const int MeasuredRows = ResidualTile.Lanes;
    private const int RunLength = 8;

    /// <summary>Fills the codes of some rows.</summary>
    /// <param name="factor">Of the Hessian of the inputs.</param>
    /// <param name="read">Reads the weight.</param>
    /// <param name="matrix">Holds scales and zero points for each block of the original columns; gets the codes.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="threads">Cores to use.</param>
    /// <param name="cancellation">Stops between tiles.</param>
    public static void Solve(
        HessianFactor factor, RowReader read, BlockQuantizedMatrix matrix, int firstRow, int rows, int threads, CancellationToken cancellation = default)
    {
        var tiles = (rows + ResidualTile.Lanes - 1) / ResidualTile.Lanes;
        TaskQueue.Run(tiles, threads, () => new GptqTile(factor, matrix.Blocks), (tile, i) =>
        {
            var first = i * ResidualTile.Lanes;
            var indices = new int[Math.Min(ResidualTile.Lanes, rows - first)];
            for (var lane = 0; lane < indices.Length; lane++)
            {
                indices[lane] = firstRow + first + lane;
            }

            tile.Solve(read, matrix, indices);
        }, cancellation);
    }

    /// <summary>Measures errors of a solution, and of rounding to nearest, on rows evenly spread.</summary>
    /// <param name="factor">Of the Hessian of the inputs.</param>
    /// <param name="read">Reads the weight.</param>
    /// <param name="matrix">The solution.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    public static GptqErrors Measure(HessianFactor factor, RowReader read, BlockQuantizedMatrix matrix, int firstRow, int rows)
    {
        using var tile = new ResidualTile(factor);
        var measured = Spread(firstRow, rows);
        var codes = new byte[matrix.Columns];
        var rounded = new float[matrix.Columns];
        var error = tile.Error(Differences((row, _) => matrix.CodesOf(row)), measured);
        var nearest = tile.Error(Differences((row, weights) => Nearest(matrix, row, weights, codes)), measured);
        return new(error / 2, nearest / 2);

        RowReader Differences(ChoiceOfCodes choose) => (first, count, destination) =>
        {
            read(first, count, destination);
            for (var i = 0; i < count; i++)
            {
                var row = destination.Slice(i * matrix.Columns, matrix.Columns);
                BlockKernels.DequantizeRow(matrix.Format, choose(first + i, row), matrix.ScalesOf(first + i), matrix.ZeroPointsOf(first + i), rounded);
                TensorPrimitives.Subtract(row, rounded, row);
            }
        };
    }

    private delegate ReadOnlySpan<byte> ChoiceOfCodes(int row, ReadOnlySpan<float> weights);

    private static int[] Spread(int firstRow, int rows)
    {
        if (rows <= MeasuredRows)
        {
            return [.. Enumerable.Range(firstRow, rows)];
        }

        var runs = MeasuredRows / RunLength;
        return [.. Enumerable.Range(0, MeasuredRows).Select(i => firstRow + (int)((long)(i / RunLength) * (rows - RunLength) / (runs - 1)) + i % RunLength)];
    }

    // Under the scales that the matrix holds.
    private static ReadOnlySpan<byte> Nearest(BlockQuantizedMatrix matrix, int row, ReadOnlySpan<float> weights, byte[] codes)
    {
        var size = matrix.Format.Block(matrix.Columns);
        var scales = matrix.ScalesOf(row);
        for (int block = 0, start = 0; start < weights.Length; block++, start += size)
        {
            var count = Math.Min(size, weights.Length - start);
            var zeroPoint = matrix.Format.Symmetric ? matrix.Format.Middle : matrix.ZeroPointsOf(row)[block];
            BlockKernels.Round(matrix.Format, weights.Slice(start, count), scales[block], zeroPoint, codes.AsSpan(start, count));
        }

        return codes;
    }
}
