using System.Buffers;
using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>Reads parts of a weight as binary32, from the mapped file, whatever the constant's type and orientation. Safe for any number of threads.</summary>
internal sealed class WeightReader(WeightLayer layer) : IDisposable
{
    private const int Band = 64;

    private readonly ContentView _view = layer.Tensor.Content.Open();
    private readonly int _width = layer.Tensor.Type.BitWidth() / 8;

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
        if (layer.Tensor.Type == DataType.Float && (long)columns * layer.Rows < int.MaxValue / sizeof(float))
        {
            var start = (long)firstColumn * layer.Rows + firstRow;
            var length = (columns - 1) * layer.Rows + rows;
            Transposition.Turn(
                MemoryMarshal.Cast<byte, float>(_view.Slice(start * sizeof(float), length * sizeof(float))), columns, rows, layer.Rows, destination, columns);
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

    private void ReadRun(long start, Span<float> destination)
    {
        // A run of more than 2 GB of bytes does not occur: callers read what fits their buffers; the offset may be beyond.
        FloatElements.Read(layer.Tensor.Type, _view.Slice(start * _width, destination.Length * _width), destination);
    }
}
