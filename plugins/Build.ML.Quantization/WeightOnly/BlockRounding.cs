using System.Buffers;
using System.Runtime.CompilerServices;
using Build.ML.Calibration.Layers;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>Quantizes a layer block by block, reading the file once. Results do not depend on the number of threads.</summary>
/// <param name="solver">Solves each block.</param>
/// <param name="threads">Cores to use.</param>
internal sealed class BlockRounding(BlockSolver solver, int threads)
{
    private const int TileWeights = 1 << 16; // 256 KB: a tile stays in the second-level cache from reading to the end

    private BlockQuantizedMatrix? _last;

    /// <summary>Quantizes a layer. The matrix is good until the next call, which may fill it anew: layers of a model mostly have few sizes.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="format">The format, adapted to the layer.</param>
    /// <param name="cancellation">Stops between tiles.</param>
    /// <exception cref="DiagnosticException">BML5403: a weight is NaN or infinite.</exception>
    public (BlockQuantizedMatrix Matrix, WeightError Error) Quantize(WeightLayer layer, BlockFormat format, CancellationToken cancellation)
    {
        var matrix = _last is { } last && last.Rows == layer.Rows && last.Columns == layer.Columns && last.Format == format
            ? last
            : _last = new BlockQuantizedMatrix(layer.Rows, layer.Columns, format);
        var tiles = Tiles.Of(layer, format);
        var errors = new WeightError[tiles.Count];
        using (var reader = layer.Open())
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1), CancellationToken = cancellation };
            Parallel.For(0, tiles.Count, parallel, i => errors[i] = Quantize(reader, matrix, tiles[i]));
        }

        // Summed in the order of the tiles, whichever thread took which.
        var error = default(WeightError);
        foreach (var part in errors)
        {
            error += part;
        }

        return double.IsFinite(error.Signal)
            ? (matrix, error)
            : throw new DiagnosticException(
                "BML5403",
                $"The weight '{layer.Weight.Name}' holds NaN or infinite numbers, which no integer can stand for. Mend the model, or exclude the layer.");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private WeightError Quantize(WeightReader reader, BlockQuantizedMatrix matrix, WeightTile tile)
    {
        var format = matrix.Format;
        var size = format.Block(matrix.Columns);
        var buffer = ArrayPool<float>.Shared.Rent(tile.Rows * tile.Columns);
        if (reader.IsTransposed && solver.TakesStored(size, matrix, tile))
        {
            var stored = reader.ReadStored(tile.FirstRow, tile.Rows, tile.FirstColumn, tile.Columns, buffer, out var stride);
            var ofTile = solver.SolveStored(size, stored, stride, matrix, tile);
            ArrayPool<float>.Shared.Return(buffer);
            return ofTile;
        }

        reader.Read(tile.FirstRow, tile.Rows, tile.FirstColumn, tile.Columns, buffer);
        var error = default(WeightError);
        for (var row = 0; row < tile.Rows; row++)
        {
            var first = tile.FirstColumn / size;
            var zeroPoints = matrix.ZeroPointsOf(tile.FirstRow + row);
            error += solver.SolveRow(
                format,
                size,
                buffer.AsSpan(row * tile.Columns, tile.Columns),
                matrix.CodesOf(tile.FirstRow + row).Slice(tile.FirstColumn, tile.Columns),
                matrix.ScalesOf(tile.FirstRow + row)[first..],
                zeroPoints.Length == 0 ? zeroPoints : zeroPoints[first..]);
        }

        ArrayPool<float>.Shared.Return(buffer);
        return error;
    }

    /// <summary>
    /// The matrix cut into tiles, by its layout only: whole rows where rows lie together in the file; where columns do, narrow and high tiles, so that what is read of each stored row is long.
    /// </summary>
    private readonly record struct Tiles(int Rows, int Columns, int Height, int Width)
    {
        public int Count => Down * Across;

        private int Down => (Rows + Height - 1) / Height;

        private int Across => (Columns + Width - 1) / Width;

        public WeightTile this[int index]
        {
            get
            {
                int row = index / Across * Height, column = index % Across * Width;
                return new(row, Math.Min(Height, Rows - row), column, Math.Min(Width, Columns - column));
            }
        }

        public static Tiles Of(WeightLayer layer, BlockFormat format)
        {
            var block = format.Block(layer.Columns);
            var width = layer.IsTransposed ? (128 + block - 1) / block * block : layer.Columns;
            return new(layer.Rows, layer.Columns, Math.Clamp(TileWeights / Math.Max(width, 1), 1, 512), Math.Min(width, layer.Columns));
        }
    }
}
