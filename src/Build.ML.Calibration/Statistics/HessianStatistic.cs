using System.Runtime.InteropServices;
using System.Text;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Statistics;

/// <summary>The Hessian of a linear layer's squared output error, H = 2/n·Σ x·xᵀ over its inputs x (see <see cref="HessianAccumulator"/>). Dispose it.</summary>
public sealed class Hessian : IDisposable
{
    private HessianAccumulator? _sum;
    private FloatMatrix? _matrix;

    internal Hessian()
    {
    }

    internal Hessian(FloatMatrix matrix, long count) => (_matrix, Count) = (matrix, count);

    /// <summary>Number of inputs x.</summary>
    public long Count { get; private set; }

    /// <summary>Both triangles; stays the property of this.</summary>
    /// <exception cref="InvalidOperationException">No input was seen.</exception>
    public FloatMatrix Matrix
    {
        get
        {
            if (_matrix is null)
            {
                _matrix = _sum?.Finish() ?? throw new InvalidOperationException("No input was seen.");
                _sum.Dispose();
                _sum = null;
            }

            return _matrix;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sum?.Dispose();
        _matrix?.Dispose();
    }

    internal void Add(ReadOnlySpan<float> rows, int columns, int threads)
    {
        _sum ??= new HessianAccumulator(columns, threads);
        _sum.Add(rows);
        Count = _sum.Count;
    }
}

/// <summary>
/// Hessians of layers whose input is this activation: its last axis is x, all others are seen as rows. A Hessian takes 4·columns² bytes: observe few values of wide layers at a
/// time.
/// </summary>
/// <param name="threads">Cores to use; results do not depend on it.</param>
public sealed class HessianStatistic(int threads) : ActivationStatistic<Hessian>
{
    /// <inheritdoc/>
    public override string Name => "Hessian of the last axis";

    /// <inheritdoc/>
    public override Hessian Create() => new();

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The activation is a scalar.</exception>
    public override bool Add(Hessian seen, Tensor activation)
    {
        if (activation.Rank == 0)
        {
            throw new InvalidOperationException($"A {activation} has no rows.");
        }

        if (activation.Count == 0)
        {
            return true;
        }

        using var elements = FloatView.Of(activation);
        float low = 0, high = 0;
        if (!FiniteExtremes.Widen(elements.Span, ref low, ref high))
        {
            return false;
        }

        seen.Add(elements.Span, (int)activation.Sizes[^1], threads);
        return true;
    }

    /// <inheritdoc/>
    public override void Write(Hessian seen, Stream to)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        var matrix = seen.Matrix;
        writer.Write(seen.Count);
        writer.Write((int)matrix.Columns);
        for (nint row = 0; row < matrix.Rows; row++)
        {
            writer.Write(MemoryMarshal.AsBytes(matrix.Row(row)));
        }
    }

    /// <inheritdoc/>
    public override Hessian Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        var count = reader.ReadInt64();
        var columns = reader.ReadInt32();
        var matrix = new FloatMatrix(columns, columns);
        for (nint row = 0; row < columns; row++)
        {
            from.ReadExactly(MemoryMarshal.AsBytes(matrix.Row(row)));
        }

        return new Hessian(matrix, count);
    }
}
