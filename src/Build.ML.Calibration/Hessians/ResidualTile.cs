using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Hessians;

/// <summary>Reads rows of a weight as they are, several at once; called from several threads.</summary>
/// <param name="firstRow">First row.</param>
/// <param name="rows">Number of rows.</param>
/// <param name="destination">Receives them, row-major.</param>
public delegate void RowReader(int firstRow, int rows, Span<float> destination);

/// <summary>
/// A few hundred rows of a layer, which stay in the caches while columns are fixed one after the other: in blocks of <see cref="BlockColumns"/>, to which the columns before contribute by one
/// matrix product (GPTQ's lazy updates, Frantar et al. 2022, arXiv 2210.17323, §3.3), in panels of <see cref="MicroKernel.Rows"/> within them. Rows lie side by side in vectors. A column holds the
/// weights w until it is fixed, and the differences w − ŵ from then on; Σ_{k&lt;j} (w_k − ŵ_k)·R_kj/R_jj is what column j has to make up for.
/// </summary>
public sealed unsafe class ResidualTile : IDisposable
{
    /// <summary>Rows that are solved together.</summary>
    public const int Lanes = 256;

    /// <summary>Columns that get what the columns before contribute by one product.</summary>
    public const int BlockColumns = 128;

    private const int Depth = 256;
    private const int RowsAtOnce = 32;

    private readonly HessianFactor _factor;

    // [panel of lanes][column in order of fixing][lane]: weights, and once a column is fixed the differences w − ŵ.
    private readonly float* _residuals;

    // [panel of columns][panel of lanes][8][lane]
    private readonly float* _sums;

    /// <summary>Reserves the memory of a tile.</summary>
    /// <param name="factor">Of the Hessian of the layer's inputs.</param>
    public ResidualTile(HessianFactor factor)
    {
        ArgumentNullException.ThrowIfNull(factor);
        _factor = factor;
        var residuals = (nuint)factor.Padded * Lanes;
        _residuals = (float*)NativeMemory.AlignedAlloc((residuals + (BlockColumns * Lanes)) * sizeof(float), 64);
        _sums = _residuals + residuals;
    }

    /// <summary>Rows that lie in one vector or several beside each other: a panel.</summary>
    public static int PanelLanes => MicroKernel.Columns;

    /// <summary>Panels that the rows loaded fill.</summary>
    public int Panels { get; private set; }

    /// <summary>Bytes that a tile takes.</summary>
    /// <param name="columns">Of the layer.</param>
    public static long BytesFor(long columns) => ((columns + MicroKernel.Rows + BlockColumns) * Lanes + RowsAtOnce * columns) * sizeof(float);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_residuals);

    /// <summary>Where a column of a panel begins.</summary>
    /// <param name="panel">0 to <see cref="Panels"/> − 1.</param>
    /// <param name="column">In the order of fixing.</param>
    public float* Residuals(int panel, int column) => _residuals + (((nint)panel * _factor.Padded + column) * PanelLanes);

    /// <summary>Where the sums of <see cref="MicroKernel.Rows"/> columns of a panel begin.</summary>
    /// <param name="first">First column of the block.</param>
    /// <param name="column">First column of the eight.</param>
    /// <param name="panel">0 to <see cref="Panels"/> − 1.</param>
    public float* Sums(int first, int column, int panel) =>
        _sums + (((column - first) / MicroKernel.Rows * Panels + panel) * MicroKernel.Rows * PanelLanes);

    /// <summary>Reads rows of a weight, or of differences.</summary>
    /// <param name="read">Reads them.</param>
    /// <param name="rows">Rows, at most <see cref="Lanes"/>.</param>
    public void Load(RowReader read, ReadOnlySpan<int> rows)
    {
        ArgumentNullException.ThrowIfNull(read);
        var buffer = ArrayPool<float>.Shared.Rent(RowsAtOnce * _factor.Order.Length);
        Panels = (rows.Length + PanelLanes - 1) / PanelLanes;
        NativeMemory.Clear(_residuals, (nuint)(_factor.Padded * Panels * PanelLanes) * sizeof(float));
        for (int lane = 0, count; lane < rows.Length; lane += count)
        {
            // Neighbours are read together: a weight stored column by column is read in bands.
            for (count = 1; count < RowsAtOnce && lane + count < rows.Length && rows[lane + count] == rows[lane] + count;)
            {
                count++;
            }

            read(rows[lane], count, buffer);
            for (var i = 0; i < count; i++)
            {
                LoadLane(lane + i, buffer.AsSpan(i * _factor.Order.Length, _factor.Order.Length));
            }
        }

        ArrayPool<float>.Shared.Return(buffer);
    }

    /// <summary>Sums of the block ← Σ_{k&lt;before} residual_k·M_kj.</summary>
    /// <param name="first">First column of the block, a multiple of <see cref="MicroKernel.Rows"/>.</param>
    /// <param name="count">Its columns, at most <see cref="BlockColumns"/>.</param>
    /// <param name="before">Columns that are fixed; default <paramref name="first"/>.</param>
    public void AddColumnsBefore(int first, int count, int? before = null)
    {
        var end = before ?? first;
        NativeMemory.Clear(_sums, BlockColumns * Lanes * sizeof(float));
        for (var k = 0; k < end; k += Depth)
        {
            var depth = Math.Min(Depth, end - k);
            for (var column = first; column < first + count; column += MicroKernel.Rows)
            {
                var a = _factor.Panel(column) + ((nint)k * MicroKernel.Rows);
                for (var panel = 0; panel < Panels; panel++)
                {
                    MicroKernel.Multiply(depth, a, Residuals(panel, k), Sums(first, column, panel), PanelLanes);
                }
            }
        }
    }

    /// <summary>Adds to the sums of eight columns what those between <paramref name="first"/> and them contribute.</summary>
    /// <param name="first">First column of the block.</param>
    /// <param name="column">First column of the eight.</param>
    /// <param name="panel">0 to <see cref="Panels"/> − 1.</param>
    /// <param name="own">Of the eight columns, those that contribute too.</param>
    public void AddWithinBlock(int first, int column, int panel, int own = 0) => MicroKernel.Multiply(
        column + own - first, _factor.Panel(column) + ((nint)first * MicroKernel.Rows), Residuals(panel, first), Sums(first, column, panel), PanelLanes);

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
                for (var panel = 0; panel < Panels; panel++)
                {
                    // M_jj = 1 and M_kj = 0 for k > j: the panel's own columns can be part of the product.
                    AddWithinBlock(first, column, panel, MicroKernel.Rows);
                    error += SquaredSums(first, column, panel);
                }
            }
        }

        return error;
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
}
