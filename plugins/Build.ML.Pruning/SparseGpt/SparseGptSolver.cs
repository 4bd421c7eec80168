using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Pruning.Calibrated;

namespace Build.ML.Pruning.SparseGpt;

/// <summary>
/// SparseGPT of a matrix (Frantar and Alistarh 2023, arXiv 2301.00774, algorithm 1): the mask is chosen for one window of columns at a time, from weights that make up for all that went before, over
/// all rows together; or for each group of M columns, row by row. Rows depend on each other by the mask only: tiles of rows are solved by different threads, with the same bits for any number of them.
/// </summary>
internal static class SparseGptSolver
{
    /// <summary>Prunes some rows.</summary>
    /// <param name="factor">Of the Hessian of their inputs, columns in the order of <see cref="ColumnGroups.Order"/>, or as they are.</param>
    /// <param name="read">Reads the weight.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="zeros">How many of their weights go; not used with <paramref name="groups"/>.</param>
    /// <param name="groups">N:M, or null.</param>
    /// <param name="window">Columns whose mask is chosen together, a multiple of 8 up to <see cref="ResidualTile.BlockColumns"/>; not used with <paramref name="groups"/>.</param>
    /// <param name="pruned">Gets the weights, all rows of the layer, row-major.</param>
    /// <param name="threads">Cores to use.</param>
    /// <param name="cancellation">Stops between windows.</param>
    /// <returns>The error of the outputs in the mean over inputs, trace((W−Ŵ)·(H+λI)·(W−Ŵ)ᵀ)/2.</returns>
    public static double Solve(
        HessianFactor factor, RowReader read, int firstRow, int rows, long zeros, ColumnGroups? groups, int window, float[] pruned, int threads, CancellationToken cancellation = default)
    {
        var tiles = new SparseGptTile[(rows + ResidualTile.Lanes - 1) / ResidualTile.Lanes];
        try
        {
            Run(tiles.Length, threads, i => tiles[i] = new(
                factor, read, firstRow + i * ResidualTile.Lanes, Math.Min(ResidualTile.Lanes, rows - i * ResidualTile.Lanes)));
            if (groups is not null)
            {
                Run(tiles.Length, threads, i => Solve(tiles[i], groups, pruned, cancellation));
            }
            else
            {
                Solve(tiles, factor.Order.Length, zeros, window, pruned, threads, cancellation);
            }

            return tiles.Sum(t => t.Error) / 2;
        }
        finally
        {
            Array.ForEach(tiles, t => t?.Dispose());
        }
    }

    private static void Solve(
        SparseGptTile[] tiles, int columns, long zeros, int window, float[] pruned, int threads, CancellationToken cancellation)
    {
        long gone = 0;
        for (var first = 0; first < columns; first += window)
        {
            cancellation.ThrowIfCancellationRequested();
            var end = Math.Min(first + window, columns);
            Run(tiles.Length, threads, i =>
            {
                tiles[i].Begin(first, end);
                tiles[i].Score(first, end);
            });

            // All windows together lose exactly as many as asked for.
            var until = (long)Math.Round((double)zeros * end / columns);
            var threshold = MagnitudeThreshold.Find([.. tiles.Select(t => t.ScoresOf(end - first))], until - gone, cancellation);
            gone = until;
            Run(tiles.Length, threads, i =>
            {
                tiles[i].ChooseBelow(end - first, threshold.Magnitude, threshold.Ties[i]);
                tiles[i].Fix(first, end, pruned);
            });
        }
    }

    private static void Solve(SparseGptTile tile, ColumnGroups groups, float[] pruned, CancellationToken cancellation)
    {
        for (var group = 0; group < groups.Count;)
        {
            cancellation.ThrowIfCancellationRequested();
            var start = groups.Start(group);
            var last = group;
            while (last + 1 < groups.Count && groups.Start(last + 2) - start / MicroKernel.Rows * MicroKernel.Rows <= ResidualTile.BlockColumns)
            {
                last++;
            }

            tile.Begin(start, groups.Start(last + 1));
            for (; group <= last; group++)
            {
                var (first, end) = (groups.Start(group), groups.Start(group + 1));
                tile.Score(first, end);
                tile.ChooseInRows(end - first, groups.Keep);
                tile.Fix(first, end, pruned);
            }
        }
    }

    private static void Run(int count, int threads, Action<int> body) =>
        TaskQueue.Run(count, threads, static () => default(None), (_, i) => body(i));

    private readonly struct None : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
