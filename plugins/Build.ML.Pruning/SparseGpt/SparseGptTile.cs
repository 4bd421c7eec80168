using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.SparseGpt;

/// <summary>
/// Prunes the rows of a <see cref="ResidualTile"/>. With R and M = R·diag(R)⁻¹ of <see cref="HessianFactor"/> and d_k = w_k − ŵ_k of the columns that are fixed, column j has to make up for
/// S_j = Σ_{k&lt;j} d_k·M_kj: it becomes w_j + S_j where it stays (SparseGPT's update, Frantar and Alistarh 2023, arXiv 2301.00774, §3.2, without any inverse), and 0 where it goes, at the error
/// ((w_j + S_j)·R_jj)². Which columns of a group go is said by the same errors when none of the group is fixed yet: w²/[H⁻¹]², as R_jj⁻¹ is the diagonal of the inverse's factor (§3.3).
/// </summary>
internal sealed unsafe class SparseGptTile : IDisposable
{
    private static readonly int Lanes = ResidualTile.PanelLanes;

    private readonly HessianFactor _factor;
    private readonly ResidualTile _tile;
    private readonly int _firstRow;
    private readonly int _rows;

    // [column of the window][lane] of one panel: what the columns of a group, none fixed, take from each other.
    private readonly float* _shifts;

    // |w|·R_jj of the columns scored last, −1 of those that go: [column][row].
    private readonly float[] _scores;
    private int _window;

    /// <summary>Loads rows.</summary>
    /// <param name="factor">Of the Hessian of the layer's inputs.</param>
    /// <param name="read">Reads the weight.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Rows, at most <see cref="ResidualTile.Lanes"/>.</param>
    public SparseGptTile(HessianFactor factor, RowReader read, int firstRow, int rows)
    {
        (_factor, _tile, _firstRow, _rows) = (factor, new ResidualTile(factor), firstRow, rows);
        _shifts = (float*)NativeMemory.AlignedAlloc((nuint)(ResidualTile.BlockColumns * Lanes) * sizeof(float), 64);
        _scores = new float[ResidualTile.BlockColumns * rows];
        _tile.Load(read, [.. Enumerable.Range(firstRow, rows)]);
    }

    /// <summary>Σ of the errors so far: of (w−ŵ)·(H+λI)·(w−ŵ)ᵀ/2 its double.</summary>
    public double Error { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tile.Dispose();
        NativeMemory.AlignedFree(_shifts);
    }

    /// <summary>Begins a window of columns: takes what the columns before it contribute.</summary>
    /// <param name="first">First column.</param>
    /// <param name="end">Column after the last; at most <see cref="ResidualTile.BlockColumns"/> after <paramref name="first"/> rounded down to eight.</param>
    public void Begin(int first, int end)
    {
        _window = first;
        var aligned = Aligned(first);
        _tile.AddColumnsBefore(aligned, end - aligned, first);
    }

    /// <summary>_scores the columns of a group, none of which is fixed.</summary>
    /// <param name="first">First column of the group, within the window; all before it are fixed.</param>
    /// <param name="end">Column after the last.</param>
    public void Score(int first, int end)
    {
        Span<float> scores = stackalloc float[Lanes];
        for (var panel = 0; panel < _tile.Panels; panel++)
        {
            var rows = Math.Min(Lanes, _rows - panel * Lanes);
            for (var column = first; column < end; column++)
            {
                var factors = Factors(column);
                var diagonal = new Vector<float>(_factor.IsDead(column) ? 0 : _factor.Diagonal[column]);
                for (var lane = 0; lane < Lanes; lane += Vector<float>.Count)
                {
                    var sum = Vector.Load(Sum(column, panel) + lane);
                    sum += Products(_tile.Residuals(panel, _window) + lane, factors + (_window * MicroKernel.Rows), first - _window);
                    Vector.Store(sum, Sum(column, panel) + lane);
                    var shift = sum - Products(_shifts + lane, factors + (first * MicroKernel.Rows), column - first);
                    Vector.Store(shift, _shifts + ((column - first) * Lanes) + lane);
                    (Vector.Abs(Vector.Load(_tile.Residuals(panel, column) + lane) + shift) * diagonal).CopyTo(scores[lane..]);
                }

                scores[..rows].CopyTo(_scores.AsSpan((column - first) * _rows + panel * Lanes, rows));
            }
        }
    }

    /// <summary>The scores of the columns scored last.</summary>
    /// <param name="count">How many columns.</param>
    public Tensor ScoresOf(int count) => Tensor.Of(_scores.AsSpan(0, count * _rows).ToArray(), count * _rows);

    /// <summary>Keeps the greatest of each row of the group that was scored; of equal ones the first.</summary>
    /// <param name="count">Columns of the group.</param>
    /// <param name="keep">How many stay.</param>
    public void ChooseInRows(int count, int keep)
    {
        for (var row = 0; row < _rows; row++)
        {
            for (var n = count; n > keep; n--)
            {
                var least = -1;
                for (var j = 0; j < count; j++)
                {
                    var score = _scores[j * _rows + row];
                    if (score >= 0 && (least < 0 || score <= _scores[least * _rows + row]))
                    {
                        least = j;
                    }
                }

                _scores[least * _rows + row] = -1;
            }
        }
    }

    /// <summary>Marks scores below a threshold, and the first of those that are equal to it.</summary>
    /// <param name="count">Columns that were scored.</param>
    /// <param name="threshold">The threshold.</param>
    /// <param name="ties">How many of equal score go.</param>
    public void ChooseBelow(int count, float threshold, long ties)
    {
        foreach (ref var score in _scores.AsSpan(0, count * _rows))
        {
            score = score < threshold || (score == threshold && ties-- > 0) ? -1 : score;
        }
    }

    /// <summary>Fixes the columns that were scored and chosen from, one after the other.</summary>
    /// <param name="first">First column of the group.</param>
    /// <param name="end">Column after the last.</param>
    /// <param name="pruned">Gets the weights that stay, all rows of the layer, row-major.</param>
    public void Fix(int first, int end, float[] pruned)
    {
        Span<float> kept = stackalloc float[Lanes], marks = stackalloc float[Lanes];
        var columns = _factor.Order.Length;
        for (var panel = 0; panel < _tile.Panels; panel++)
        {
            var rows = Math.Min(Lanes, _rows - panel * Lanes);
            for (var column = first; column < end; column++)
            {
                _scores.AsSpan((column - first) * _rows + panel * Lanes, rows).CopyTo(marks);
                var factors = Factors(column);
                var errors = Vector<float>.Zero;
                for (var lane = 0; lane < Lanes; lane += Vector<float>.Count)
                {
                    var weight = Vector.Load(_tile.Residuals(panel, column) + lane);
                    var sum = Vector.Load(Sum(column, panel) + lane)
                        + Products(_tile.Residuals(panel, first) + lane, factors + (first * MicroKernel.Rows), column - first);
                    var goes = Vector.LessThan(new Vector<float>(marks[lane..]), Vector<float>.Zero);
                    var value = weight + sum;
                    var stays = Vector.ConditionalSelect(goes, Vector<float>.Zero, value);
                    Vector.Store(weight - stays, _tile.Residuals(panel, column) + lane);
                    var lost = (value - stays) * _factor.Diagonal[column];
                    errors += lost * lost;
                    stays.CopyTo(kept[lane..]);
                }

                Error += Vector.Sum(errors);
                var place = (long)(_firstRow + panel * Lanes) * columns + _factor.Order[column];
                for (var row = 0; row < rows; row++, place += columns)
                {
                    pruned[place] = kept[row];
                }
            }
        }
    }

    private static int Aligned(int column) => column / MicroKernel.Rows * MicroKernel.Rows;

    // Σ_k values[k]·factors[k] in four sums, so that one waits for no other.
    private static Vector<float> Products(float* values, float* factors, int count)
    {
        Vector<float> a = default, b = default, c = default, d = default;
        var k = 0;
        for (; k + 4 <= count; k += 4, values += 4 * Lanes, factors += 4 * MicroKernel.Rows)
        {
            a = Vector.FusedMultiplyAdd(Vector.Load(values), new Vector<float>(factors[0]), a);
            b = Vector.FusedMultiplyAdd(Vector.Load(values + Lanes), new Vector<float>(factors[MicroKernel.Rows]), b);
            c = Vector.FusedMultiplyAdd(Vector.Load(values + (2 * Lanes)), new Vector<float>(factors[2 * MicroKernel.Rows]), c);
            d = Vector.FusedMultiplyAdd(Vector.Load(values + (3 * Lanes)), new Vector<float>(factors[3 * MicroKernel.Rows]), d);
        }

        for (; k < count; k++, values += Lanes, factors += MicroKernel.Rows)
        {
            a = Vector.FusedMultiplyAdd(Vector.Load(values), new Vector<float>(factors[0]), a);
        }

        return a + b + (c + d);
    }

    private float* Sum(int column, int panel) =>
        _tile.Sums(Aligned(_window), Aligned(column), panel) + (column % MicroKernel.Rows * Lanes);

    // M_kj of a column j, k times eight apart.
    private float* Factors(int column) => _factor.Panel(Aligned(column)) + (column % MicroKernel.Rows);
}
