using System.Runtime.InteropServices;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// A dense row-major float32 matrix in native memory aligned to cache lines, which may exceed what a span can address (11008² elements
/// and more). Its owner disposes it.
/// </summary>
public sealed unsafe class FloatMatrix : IDisposable
{
    private const nuint Alignment = 64;

    private float* _data;

    /// <summary>A matrix of zeros.</summary>
    /// <param name="rows">At least 1.</param>
    /// <param name="columns">At least 1.</param>
    public FloatMatrix(long rows, long columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        (Rows, Columns) = ((nint)rows, (nint)columns);
        var bytes = checked((nuint)(rows * columns * sizeof(float)));
        _data = (float*)NativeMemory.AlignedAlloc(bytes, Alignment);
        NativeMemory.Clear(_data, bytes);
        GC.AddMemoryPressure((long)bytes);
    }

    /// <summary>Releases the memory of a matrix that was not disposed.</summary>
    ~FloatMatrix() => Release();

    /// <summary>Number of rows.</summary>
    public nint Rows { get; }

    /// <summary>Number of columns.</summary>
    public nint Columns { get; }

    /// <summary>The whole matrix.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public MatrixView View
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data is null, this);
            return new(_data, Rows, Columns, Columns, 1);
        }
    }

    /// <summary>One element.</summary>
    public ref float this[nint row, nint column] => ref View[row, column];

    /// <summary>One row.</summary>
    public Span<float> Row(nint row) => new(View.Address(row, 0), checked((int)Columns));

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_data is not null)
        {
            NativeMemory.AlignedFree(_data);
            _data = null;
            GC.RemoveMemoryPressure((long)Rows * Columns * sizeof(float));
        }
    }
}
