namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Sums the Hessian of a linear layer's squared output error over its inputs, H = 2/n·Σ x·xᵀ: for every row w of the weight the error of ŵ is
/// (w−ŵ)·H·(w−ŵ)ᵀ/2 in the mean over inputs (Frantar et al. 2022, arXiv 2210.17323, §3). Inputs are gathered into pieces of
/// <see cref="PieceRows"/>, so that the bits depend on the sequence of inputs only, not on how it was cut. Sums of pieces in float32 keep about six digits.
/// </summary>
public sealed unsafe class HessianAccumulator : IDisposable
{
    /// <summary>Inputs multiplied at once.</summary>
    public const int PieceRows = 1024;

    private FloatMatrix? _sum;
    private readonly FloatMatrix _piece;
    private readonly int _threads;
    private int _pending;

    /// <summary>Starts a sum.</summary>
    /// <param name="columns">Inputs of the layer: length of x.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public HessianAccumulator(int columns, int threads)
    {
        _sum = new FloatMatrix(columns, columns);
        _piece = new FloatMatrix(PieceRows, columns);
        _threads = threads;
    }

    /// <summary>Number of inputs x seen.</summary>
    public long Count { get; private set; }

    /// <summary>Bytes that an accumulator holds.</summary>
    public static long BytesFor(long columns) => (columns + PieceRows) * columns * sizeof(float);

    /// <summary>Adds inputs.</summary>
    /// <param name="rows">One x after the other.</param>
    /// <exception cref="ArgumentException">Not a whole number of them.</exception>
    public void Add(ReadOnlySpan<float> rows)
    {
        var sum = Sum();
        var columns = (int)sum.Columns;
        if (rows.Length % columns != 0)
        {
            throw new ArgumentException($"{rows.Length} numbers are not rows of {columns}.", nameof(rows));
        }

        Count += rows.Length / columns;
        while (rows.Length > 0)
        {
            var taken = Math.Min(PieceRows - _pending, rows.Length / columns);
            if (taken == PieceRows)
            {
                fixed (float* x = rows)
                {
                    MatrixProduct.AddGram(sum.View, new MatrixView(x, taken, columns, columns, 1), 1, _threads);
                }
            }
            else
            {
                rows[..(taken * columns)].CopyTo(new Span<float>(_piece.View.Address(_pending, 0), taken * columns));
                _pending += taken;
                if (_pending == PieceRows)
                {
                    AddPiece();
                }
            }

            rows = rows[(taken * columns)..];
        }
    }

    /// <summary>The Hessian, both triangles; the accumulator is empty afterwards and only to be disposed. The caller disposes the matrix.</summary>
    /// <exception cref="InvalidOperationException">No input was added.</exception>
    public FloatMatrix Finish()
    {
        if (Count == 0)
        {
            throw new InvalidOperationException("No input was added.");
        }

        AddPiece();
        _piece.Dispose();
        var sum = Sum();
        _sum = null;
        Symmetric.Complete(sum.View, (float)(2.0 / Count), _threads);
        return sum;
    }

    /// <inheritdoc/>
    /// <remarks>The matrix that <see cref="Finish"/> gave stays the caller's.</remarks>
    public void Dispose()
    {
        _piece.Dispose();
        _sum?.Dispose();
    }

    private FloatMatrix Sum() => _sum ?? throw new InvalidOperationException("The Hessian was finished.");

    private void AddPiece()
    {
        if (_pending > 0)
        {
            MatrixProduct.AddGram(Sum().View, _piece.View.Block(0, 0, _pending, _piece.Columns), 1, _threads);
            _pending = 0;
        }
    }
}
