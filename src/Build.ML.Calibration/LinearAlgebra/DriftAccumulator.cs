using System.Numerics.Tensors;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Sums what a layer's inputs x have become against what they are, D = 2/n·Σ (x − x̂)·x̂ᵀ over pairs of an input x of the exact model and the input x̂ of the quantized one: with the Hessian
/// Ĥ of the x̂ it gives the weight whose outputs on x̂ are nearest to those on x, W + W·D·Ĥ⁻¹ (Arai and Ichikawa 2025, "Quantization Error Propagation", arXiv 2504.09629). Pairs are gathered into
/// pieces of <see cref="HessianAccumulator.PieceRows"/>, so that the bits depend on their sequence only.
/// </summary>
public sealed class DriftAccumulator : IDisposable
{
    private readonly FloatMatrix _differences;
    private readonly FloatMatrix _actual;
    private readonly int _threads;
    private FloatMatrix? _sum;
    private int _pending;
    private long _count;
    private bool _differs;

    /// <summary>Starts a sum.</summary>
    /// <param name="columns">Length of x.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public DriftAccumulator(int columns, int threads)
    {
        _sum = new FloatMatrix(columns, columns);
        _differences = new FloatMatrix(HessianAccumulator.PieceRows, columns);
        _actual = new FloatMatrix(HessianAccumulator.PieceRows, columns);
        _threads = threads;
    }

    /// <summary>Bytes that an accumulator holds.</summary>
    public static long BytesFor(long columns) => (columns + 2 * HessianAccumulator.PieceRows) * columns * sizeof(float);

    /// <summary>Adds pairs.</summary>
    /// <param name="exact">One x after the other.</param>
    /// <param name="actual">As many x̂.</param>
    /// <exception cref="ArgumentException">Not as many, or not a whole number of them.</exception>
    public void Add(ReadOnlySpan<float> exact, ReadOnlySpan<float> actual)
    {
        var columns = (int)_actual.Columns;
        if (exact.Length != actual.Length || actual.Length % columns != 0)
        {
            throw new ArgumentException($"{exact.Length} and {actual.Length} numbers are not pairs of rows of {columns}.", nameof(actual));
        }

        for (var start = 0; start < actual.Length; start += columns)
        {
            var difference = _differences.Row(_pending);
            TensorPrimitives.Subtract(exact.Slice(start, columns), actual.Slice(start, columns), difference);
            actual.Slice(start, columns).CopyTo(_actual.Row(_pending));
            _differs |= difference.ContainsAnyExcept(0f);
            _count++;
            if (++_pending == HessianAccumulator.PieceRows)
            {
                AddPiece();
            }
        }
    }

    /// <summary>D, which the caller disposes, or null where all x̂ are their x; the accumulator is then only to be disposed.</summary>
    /// <exception cref="InvalidOperationException">It was finished before.</exception>
    public FloatMatrix? Finish()
    {
        AddPiece();
        if (!_differs)
        {
            return null;
        }

        var sum = Sum();
        _sum = null;
        for (nint row = 0; row < sum.Rows; row++)
        {
            TensorPrimitives.Multiply(sum.Row(row), (float)(2.0 / _count), sum.Row(row));
        }

        return sum;
    }

    /// <inheritdoc/>
    /// <remarks>The matrix that <see cref="Finish"/> gave stays the caller's.</remarks>
    public void Dispose()
    {
        _differences.Dispose();
        _actual.Dispose();
        _sum?.Dispose();
    }

    private FloatMatrix Sum() => _sum ?? throw new InvalidOperationException("The sum was finished.");

    private void AddPiece()
    {
        if (_pending > 0 && _differs)
        {
            var columns = _actual.Columns;
            MatrixProduct.Add(
                Sum().View, _differences.View.Block(0, 0, _pending, columns).Transposed, _actual.View.Block(0, 0, _pending, columns), threads: _threads);
        }

        _pending = 0;
    }
}
