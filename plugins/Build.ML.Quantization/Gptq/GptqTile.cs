using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Gptq;

/// <summary>Rounds the rows of a <see cref="ResidualTile"/>.</summary>
internal sealed unsafe class GptqTile : IDisposable
{
    private static readonly int PanelLanes = ResidualTile.PanelLanes;

    private readonly HessianFactor _factor;
    private readonly ResidualTile _tile;
    private readonly int _blocks;

    // [block][lane] each: scale, zero point.
    private readonly float* _scales;
    private readonly float* _zeroPoints;

    public GptqTile(HessianFactor factor, int blocks)
    {
        (_factor, _tile, _blocks) = (factor, new ResidualTile(factor), blocks);
        var grid = (nuint)blocks * ResidualTile.Lanes;
        _scales = (float*)NativeMemory.AlignedAlloc((grid + grid) * sizeof(float), 64);
        _zeroPoints = _scales + grid;
    }

    /// <summary>Bytes that a tile takes.</summary>
    public static long BytesFor(long columns, long blocks) => ResidualTile.BytesFor(columns) + 2 * blocks * ResidualTile.Lanes * sizeof(float);

    public void Dispose()
    {
        _tile.Dispose();
        NativeMemory.AlignedFree(_scales);
    }

    /// <summary>Rounds rows under scales that are already in the matrix.</summary>
    /// <param name="read">Reads the weight.</param>
    /// <param name="matrix">Gets the codes; holds scales and zero points.</param>
    /// <param name="rows">Rows of the matrix, at most <see cref="ResidualTile.Lanes"/>.</param>
    public void Solve(RowReader read, BlockQuantizedMatrix matrix, ReadOnlySpan<int> rows)
    {
        _tile.Load(read, rows);
        LoadGrid(matrix, rows);
        var rounding = new Rounding(this, matrix, rows);
        for (var first = 0; first < _factor.Padded; first += ResidualTile.BlockColumns)
        {
            var count = Math.Min(ResidualTile.BlockColumns, _factor.Padded - first);
            _tile.AddColumnsBefore(first, count);
            for (var column = first; column < first + count; column += MicroKernel.Rows)
            {
                for (var panel = 0; panel < _tile.Panels; panel++)
                {
                    _tile.AddWithinBlock(first, column, panel);
                    rounding.RoundPanel(column, panel, _tile.Sums(first, column, panel));
                }
            }
        }
    }

    private void LoadGrid(BlockQuantizedMatrix matrix, ReadOnlySpan<int> rows)
    {
        for (var block = 0; block < _blocks; block++)
        {
            for (var lane = 0; lane < ResidualTile.Lanes; lane++)
            {
                var isRow = lane < rows.Length;
                _scales[(nint)block * ResidualTile.Lanes + lane] = isRow ? matrix.ScalesOf(rows[lane])[block] : 1;
                _zeroPoints[(nint)block * ResidualTile.Lanes + lane] = matrix.Format.Symmetric || !isRow ? matrix.Format.Middle : matrix.ZeroPointsOf(rows[lane])[block];
            }
        }
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
            var residuals = tile._tile.Residuals(panel, column);
            var m = factor.Panel(column) + ((nint)column * MicroKernel.Rows);
            var columns = Math.Min(MicroKernel.Rows, matrix.Columns - column);
            for (var j = 0; j < columns; j++)
            {
                var grid = (nint)(factor.Order[column + j] / _blockSize) * ResidualTile.Lanes + (panel * PanelLanes);
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
