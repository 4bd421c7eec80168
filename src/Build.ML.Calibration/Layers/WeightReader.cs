using System.Buffers;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Layers;

/// <summary>Reads parts of a weight as binary32, from the mapped file, whatever the constant's type and orientation. Safe for any number of threads.</summary>
public sealed class WeightReader(WeightLayer layer) : IDisposable
{
    private const int Band = 64;

    private readonly ContentView _view = layer.Tensor.Content.Open();
    private readonly int _width = layer.Tensor.Type.BitWidth() / 8;

    /// <summary>Whether the constant is stored as [columns, rows].</summary>
    public bool IsTransposed => layer.IsTransposed;

    /// <summary>Reads the part of a transposed constant at some rows and columns as it is stored, [columns, rows]: where it lies, or converted into the buffer.</summary>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="firstColumn">First column.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="buffer">At least rows · columns numbers.</param>
    /// <param name="stride">Numbers from one stored column to the next.</param>
    public ReadOnlySpan<float> ReadStored(int firstRow, int rows, int firstColumn, int columns, Span<float> buffer, out int stride)
    {
        if (IsFloatWithin(columns))
        {
            stride = layer.Rows;
            return Stored(firstRow, rows, firstColumn, columns);
        }

        stride = rows;
        for (var k = 0; k < columns; k++)
        {
            ReadRun((long)(firstColumn + k) * layer.Rows + firstRow, buffer.Slice(k * rows, rows));
        }

        return buffer;
    }

    /// <summary>Reads the part of the matrix at some rows and columns.</summary>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="firstColumn">First column.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="destination">rows · columns numbers, row-major.</param>
    public void Read(int firstRow, int rows, int firstColumn, int columns, Span<float> destination)
    {
        if (!layer.IsTransposed && columns == layer.Columns)
        {
            ReadRun((long)firstRow * columns, destination[..(rows * columns)]);
            return;
        }

        if (!layer.IsTransposed)
        {
            for (var row = 0; row < rows; row++)
            {
                ReadRun((long)(firstRow + row) * layer.Columns + firstColumn, destination.Slice(row * columns, columns));
            }

            return;
        }

        // The constant is [columns, rows]: it is turned, from where it is or, where numbers are converted first, band by band.
        if (IsFloatWithin(columns))
        {
            Transposition.Turn(Stored(firstRow, rows, firstColumn, columns), columns, rows, layer.Rows, destination, columns);
            return;
        }

        var band = ArrayPool<float>.Shared.Rent(Band * rows);
        for (var start = 0; start < columns; start += Band)
        {
            var height = Math.Min(Band, columns - start);
            for (var k = 0; k < height; k++)
            {
                ReadRun((long)(firstColumn + start + k) * layer.Rows + firstRow, band.AsSpan(k * rows, rows));
            }

            Transposition.Turn(band, height, rows, rows, destination[start..], columns);
        }

        ArrayPool<float>.Shared.Return(band);
    }

    /// <inheritdoc/>
    public void Dispose() => _view.Dispose();

    /// <summary>Whether so many stored columns are floats within one span.</summary>
    private bool IsFloatWithin(int columns) => layer.Tensor.Type == DataType.Float && (long)columns * layer.Rows < int.MaxValue / sizeof(float);

    private ReadOnlySpan<float> Stored(int firstRow, int rows, int firstColumn, int columns)
    {
        var start = (long)firstColumn * layer.Rows + firstRow;
        var length = (columns - 1) * layer.Rows + rows;
        return MemoryMarshal.Cast<byte, float>(_view.Slice(start * sizeof(float), length * sizeof(float)));
    }

    private void ReadRun(long start, Span<float> destination)
    {
        // A run of more than 2 GB of bytes does not occur: callers read what fits their buffers; the offset may be beyond.
        FloatElements.Read(layer.Tensor.Type, _view.Slice(start * _width, destination.Length * _width), destination);
    }
}
