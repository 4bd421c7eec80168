using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Weights;

/// <summary>
/// A float matrix [rows, columns] rounded to integers and written as [columns, rows], a band of columns at a time: for Gemm with <c>transB</c>, as integer
/// multiplication knows no transposed operand.
/// </summary>
/// <param name="weight">Float matrix.</param>
/// <param name="scales">Its scales: one, or one for each row.</param>
/// <param name="threads">Cores to use; the bytes do not depend on it.</param>
internal sealed class TransposedContent(Tensor weight, WeightScales scales, int threads) : TensorContent
{
    private const int BandWidth = 64;

    private readonly int _rows = checked((int)weight.Sizes[0]);
    private readonly int _columns = checked((int)weight.Sizes[1]);

    /// <inheritdoc/>
    public override long Length => weight.Count;

    /// <inheritdoc/>
    public override ContentView Open()
    {
        using var stream = new MemoryStream(checked((int)Length));
        CopyTo(stream);
        return new MemoryContent(stream.GetBuffer().AsMemory(0, (int)stream.Length)).Open();
    }

    /// <inheritdoc/>
    public override void CopyTo(Stream destination, CancellationToken cancellation = default)
    {
        var band = new byte[BandWidth * _rows];
        using var view = weight.Read<float>();
        for (var first = 0; first < _columns; first += BandWidth)
        {
            cancellation.ThrowIfCancellationRequested();
            var width = Math.Min(BandWidth, _columns - first);
            Quantize(view.Span, band, first, width);
            destination.Write(band, 0, width * _rows);
        }
    }

    private unsafe void Quantize(ReadOnlySpan<float> weights, byte[] band, int first, int width)
    {
        const int RowsPerChunk = 64;
        var inverses = scales.Inverses();
        int least = scales.Least, greatest = scales.Greatest;
        fixed (float* x = weights)
        {
            var address = x;
            var chunks = (_rows + RowsPerChunk - 1) / RowsPerChunk;
            Parallel.For(0, chunks, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, chunk =>
            {
                Span<byte> integers = stackalloc byte[BandWidth];
                for (var row = chunk * RowsPerChunk; row < Math.Min(_rows, (chunk + 1) * RowsPerChunk); row++)
                {
                    var channel = scales.Scales.Length == 1 ? 0 : row;
                    var values = new ReadOnlySpan<float>(address + (nint)row * _columns + first, width);
                    WeightKernels.Quantize(values, integers, inverses[channel], (int)scales.ZeroPoints[channel], least, greatest);
                    for (var column = 0; column < width; column++)
                    {
                        band[column * _rows + row] = integers[column];
                    }
                }
            });
        }
    }
}
