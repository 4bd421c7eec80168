using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Layers;

/// <summary>A weight's tensor with other numbers in it, in the constant's own type and orientation, computed when opened.</summary>
internal sealed class RestoredContent(WeightLayer layer, Action<int, Span<float>> readRow) : TensorContent
{
    private const int Band = 64;

    /// <inheritdoc/>
    public override long Length => layer.Tensor.ByteLength;

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var type = layer.Tensor.Type;
        var width = type.BitWidth() / 8;
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)Length));
        var band = new float[Band * layer.Columns];
        var turned = layer.IsTransposed ? new float[Band * layer.Columns] : [];
        for (var first = 0; first < layer.Rows; first += Band)
        {
            var rows = Math.Min(Band, layer.Rows - first);
            for (var row = 0; row < rows; row++)
            {
                readRow(first + row, band.AsSpan(row * layer.Columns, layer.Columns));
            }

            if (!layer.IsTransposed)
            {
                var count = rows * layer.Columns;
                FloatElements.Write(type, band.AsSpan(0, count), bytes.AsSpan((int)((long)first * layer.Columns * width), count * width));
                continue;
            }

            Transposition.Turn(band, rows, layer.Columns, layer.Columns, turned, rows);
            for (var column = 0; column < layer.Columns; column++)
            {
                var start = ((long)column * layer.Rows + first) * width;
                FloatElements.Write(type, turned.AsSpan(column * rows, rows), bytes.AsSpan((int)start, rows * width));
            }
        }

        return new MemoryContent(bytes).Open();
    }
}
