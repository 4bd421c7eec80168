using System.Buffers;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Weights;

/// <summary>A float weight rounded to integers piece by piece as it is written, so that no more than a piece is held.</summary>
/// <param name="weight">Float tensor.</param>
/// <param name="scales">Its scales.</param>
/// <param name="threads">Cores to use; the bytes do not depend on it.</param>
internal sealed class QuantizedContent(Tensor weight, WeightScales scales, int threads) : TensorContent
{
    private const int ChunksPerPiece = 16;

    /// <inheritdoc/>
    public override long Length => weight.Count;

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var integers = GC.AllocateUninitializedArray<byte>(scales.Layout.Count);
        using var view = weight.Read<float>();
        Quantize(view.Span, integers, 0, integers.Length);
        return new MemoryContent(integers).Open();
    }

    /// <inheritdoc/>
    public override void CopyTo(Stream destination, CancellationToken cancellation = default)
    {
        var count = scales.Layout.Count;
        var size = (int)Math.Min((long)scales.Layout.ChunkSize * ChunksPerPiece, count);
        var piece = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            using var view = weight.Read<float>();
            for (var start = 0; start < count; start += size)
            {
                cancellation.ThrowIfCancellationRequested();
                var length = Math.Min(size, count - start);
                Quantize(view.Span, piece, start, length);
                destination.Write(piece, 0, length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private unsafe void Quantize(ReadOnlySpan<float> weights, byte[] integers, int start, int length)
    {
        var layout = scales.Layout;
        var inverses = scales.Inverses();
        var size = layout.ChunkSize;
        int least = scales.Least, greatest = scales.Greatest;
        fixed (float* x = weights)
        {
            var address = x;
            Parallel.For(0, (length + size - 1) / size, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, chunk =>
            {
                var values = new ReadOnlySpan<float>(address, layout.Count);
                foreach (var segment in layout.Segments(start + chunk * size, Math.Min(size, length - chunk * size)))
                {
                    var from = values.Slice(segment.Start, segment.Length);
                    var to = integers.AsSpan(segment.Start - start, segment.Length);
                    if (segment.IsRow)
                    {
                        WeightKernels.QuantizeByColumn(from, to, inverses, scales.ZeroPoints, least, greatest);
                    }
                    else
                    {
                        WeightKernels.Quantize(from, to, inverses[segment.Channel], (int)scales.ZeroPoints[segment.Channel], least, greatest);
                    }
                }
            });
        }
    }
}
