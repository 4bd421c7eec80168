using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>
/// Solves a few hundred rows of a layer, which stay in the caches: columns in blocks of <see cref="BlockColumns"/>, to which the columns before contribute by one matrix product
/// (GPTQ's lazy updates), in panels of 8 within them. Rows lie side by side in vectors.
/// </summary>
internal sealed unsafe class GptqTile : IDisposable
{
    /// <summary>Rows that are solved together.</summary>
    public const int Lanes = 256;

    private const int BlockColumns = 128;
    private const int Depth = 256;
    private const int RowsAtOnce = 32;

    private static readonly int PanelLanes = MicroKernel.Columns;

    private readonly GptqFactor _factor;
    private readonly int _blocks;

    // [panel of lanes][column in order of rounding][lane]: weights, and once a column is rounded the differences w − ŵ.
    private readonly float* _residuals;

    // [panel of columns][panel of lanes][8][lane]
    private readonly float* _sums;

    // [block][lane] each: scale, zero point.
    private readonly float* _scales;
    private readonly float* _zeroPoints;
    private readonly float[] _rows;
    private int _panels;

    public GptqTile(GptqFactor factor, int blocks)
    {
        (_factor, _blocks) = (factor, blocks);
        var residuals = (nuint)factor.Padded * Lanes;
        var grid = (nuint)blocks * Lanes;
        _residuals = (float*)NativeMemory.AlignedAlloc((residuals + (BlockColumns * Lanes) + grid + grid) * sizeof(float), 64);
        _sums = _residuals + residuals;
        _scales = _sums + (BlockColumns * Lanes);
        _zeroPoints = _scales + grid;
        _rows = new float[RowsAtOnce * factor.Order.Length];
    }

    /// <summary>Bytes that a tile takes.</summary>
    public static long BytesFor(long columns, long blocks) => ((columns + MicroKernel.Rows + BlockColumns + 2 * blocks) * Lanes + RowsAtOnce * columns) * sizeof(float);

    public void Dispose() => NativeMemory.AlignedFree(_residuals);

    /// <summary>Rounds rows under scales that are already in the matrix.</summary>
    /// <param name="read">Reads the weight.</param>
    /// <param name="matrix">Gets the codes; holds scales and zero points.</param>
    /// <param name="rows">Rows of the matrix, at most <see cref="Lanes"/>.</param>
    public void Solve(RowReader read, BlockQuantizedMatrix matrix, ReadOnlySpan<int> rows)
    {
        Load(read, rows);
        LoadGrid(matrix, rows);
        var rounding = new Rounding(this, matrix, rows);
        for (var first = 0; first < _factor.Padded; first += BlockColumns)
        {
            var count = Math.Min(BlockColumns, _factor.Padded - first);
            AddColumnsBefore(first, count);
            for (var column = first; column < first + count; column += MicroKernel.Rows)
            {
                for (var panel = 0; panel < _panels; panel++)
                {
                    AddWithinBlock(first, column, panel);
                    rounding.RoundPanel(column, panel, Sums(first, column, panel));
                }
            }
        }
    }

    /// <summary>The error Σ |(w−ŵ)·R|² of any ŵ.</summary>
    /// <param name="readDifferences">Reads w − ŵ.</param>
    /// <param name="rows">Rows, at most <see cref="Lanes"/>.</param>
    public double Error(RowReader readDifferences, ReadOnlySpan<int> rows)
    {
        Load(readDifferences, rows);
        var error = 0d;
        for (var first = 0; first < _factor.Padded; first += BlockColumns)
        {
            var count = Math.Min(BlockColumns, _factor.Padded - first);
            AddColumnsBefore(first, count);
            for (var column = first; column < first + count; column += MicroKernel.Rows)
            {
                for (var panel = 0; panel < _panels; panel++)
                {
                    // M_jj = 1 and M_kj = 0 for k > j: the panel's own columns can be part of the product.
                    AddWithinBlock(first, column, panel, MicroKernel.Rows);
                    error += SquaredSums(first, column, panel);
                }
            }
        }

        return error;
    }

    private float* Residuals(int panel, int column) => _residuals + (((nint)panel * _factor.Padded + column) * PanelLanes);

    private float* Sums(int first, int column, int panel) =>
        _sums + (((column - first) / MicroKernel.Rows * _panels + panel) * MicroKernel.Rows * PanelLanes);

    private void Load(RowReader read, ReadOnlySpan<int> rows)
    {
        _panels = (rows.Length + PanelLanes - 1) / PanelLanes;
        NativeMemory.Clear(_residuals, (nuint)(_factor.Padded * _panels * PanelLanes) * sizeof(float));
        for (int lane = 0, count; lane < rows.Length; lane += count)
        {
            // Neighbours are read together: a weight stored column by column is read in bands.
            for (count = 1; count < RowsAtOnce && lane + count < rows.Length && rows[lane + count] == rows[lane] + count;)
            {
                count++;
            }

            read(rows[lane], count, _rows);
            for (var i = 0; i < count; i++)
            {
                LoadLane(lane + i, _rows.AsSpan(i * _factor.Order.Length, _factor.Order.Length));
            }
        }
    }

    private void LoadLane(int lane, ReadOnlySpan<float> row)
    {
        var order = _factor.Order;
        var target = Residuals(lane / PanelLanes, 0) + (lane % PanelLanes);
        for (var j = 0; j < order.Length; j++)
        {
            target[(nint)j * PanelLanes] = row[order[j]];
        }
    }

    private void LoadGrid(BlockQuantizedMatrix matrix, ReadOnlySpan<int> rows)
    {
        for (var block = 0; block < _blocks; block++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                var isRow = lane < rows.Length;
                _scales[(nint)block * Lanes + lane] = isRow ? matrix.ScalesOf(rows[lane])[block] : 1;
                _zeroPoints[(nint)block * Lanes + lane] = matrix.Format.Symmetric || !isRow ? matrix.Format.Middle : matrix.ZeroPointsOf(rows[lane])[block];
            }
        }
    }

    // Sums of the block ← Σ_{k<first} residual_k·M_kj.
    private void AddColumnsBefore(int first, int count)
    {
        NativeMemory.Clear(_sums, BlockColumns * Lanes * sizeof(float));
        for (var k = 0; k < first; k += Depth)
        {
            var depth = Math.Min(Depth, first - k);
            for (var column = first; column < first + count; column += MicroKernel.Rows)
            {
                var a = _factor.Panel(column) + ((nint)k * MicroKernel.Rows);
                for (var panel = 0; panel < _panels; panel++)
                {
                    MicroKernel.Multiply(depth, a, Residuals(panel, k), Sums(first, column, panel), PanelLanes);
                }
            }
        }
    }

    private void AddWithinBlock(int first, int column, int panel, int own = 0) => MicroKernel.Multiply(
        column + own - first, _factor.Panel(column) + ((nint)first * MicroKernel.Rows), Residuals(panel, first), Sums(first, column, panel), PanelLanes);

    private double SquaredSums(int first, int column, int panel)
    {
        var sums = Sums(first, column, panel);
        var error = 0d;
        for (var i = 0; i < MicroKernel.Rows; i++)
        {
            var squares = Vector<float>.Zero;
            for (var lane = 0; lane < PanelLanes; lane += Vector<float>.Count)
            {
                var sum = Vector.Load(sums + (i * PanelLanes) + lane) * _factor.Diagonal[column + i];
                squares += sum * sum;
            }

            error += Vector.Sum(squares);
        }

        return error;
    }

    /// <summary>Rounds the 8 columns of a panel, one after the other, all lanes at once.</summary>
    private readonly ref struct Rounding(GptqTile tile, BlockQuantizedMatrix matrix, ReadOnlySpan<int> rows)
    {
        private readonly ReadOnlySpan<int> _rows = rows;
        private readonly int _blockSize = matrix.Format.Block(matrix.Columns);
        private readonly Vector<float> _least = new(matrix.Format.Least);
        private readonly Vector<float> _greatest = new(matrix.Format.Greatest);

        public void RoundPanel(int column, int panel, float* sums)
        {
            var factor = tile._factor;
            var residuals = tile.Residuals(panel, column);
            var m = factor.Panel(column) + ((nint)column * MicroKernel.Rows);
            var columns = Math.Min(MicroKernel.Rows, matrix.Columns - column);
            for (var j = 0; j < columns; j++)
            {
                var grid = (nint)(factor.Order[column + j] / _blockSize) * Lanes + (panel * PanelLanes);
                for (var lane = 0; lane < PanelLanes; lane += Vector<float>.Count)
                {
                    var place = sums + (j * PanelLanes) + lane;
                    var sum = Vector.Load(place);
                    for (var i = 0; i < j; i++)
                    {
                        sum = Vector.FusedMultiplyAdd(Vector.Load(residuals + (i * PanelLanes) + lane), new Vector<float>(m[i * MicroKernel.Rows + j]), sum);
                    }

                    var weight = Vector.Load(residuals + (j * PanelLanes) + lane);
                    var scale = Vector.Load(tile._scales + grid + lane);
                    var zero = Vector.Load(tile._zeroPoints + grid + lane);
                    var code = Vector.Round((weight + sum) * (Vector<float>.One / scale)) + zero;
                    code = Vector.Min(Vector.Max(code, _least), _greatest);
                    (weight - (code - zero) * scale).Store(residuals + (j * PanelLanes) + lane);
                    code.Store(place);
                }
            }

            StoreCodes(column, columns, panel, sums);
        }

        private void StoreCodes(int column, int columns, int panel, float* codes)
        {
            var order = tile._factor.Order;
            for (var lane = 0; lane < PanelLanes && panel * PanelLanes + lane < _rows.Length; lane++)
            {
                var row = matrix.CodesOf(_rows[panel * PanelLanes + lane]);
                for (var j = 0; j < columns; j++)
                {
                    row[order[column + j]] = (byte)codes[j * PanelLanes + lane];
                }
            }
        }
    }
}
