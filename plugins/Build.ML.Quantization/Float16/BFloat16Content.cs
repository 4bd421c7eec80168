using System.Buffers;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Float16;

/// <summary>A float tensor as bfloat16, the upper half of each number rounded to nearest, converted piece by piece as it is written.</summary>
/// <param name="weight">Float tensor.</param>
internal sealed class BFloat16Content(Tensor weight) : TensorContent
{
    private const int PieceLength = 1 << 16;

    /// <inheritdoc/>
    public override long Length => weight.Count * 2;

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
        var bytes = ArrayPool<byte>.Shared.Rent(PieceLength * 2);
        try
        {
            using var view = weight.Content.Open();
            for (long start = 0; start < weight.Count; start += PieceLength)
            {
                cancellation.ThrowIfCancellationRequested();
                var length = (int)Math.Min(PieceLength, weight.Count - start);
                var numbers = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(view.Slice(start * sizeof(float), length * sizeof(float)));
                FloatElements.Write(DataType.BFloat16, numbers, bytes.AsSpan(0, length * 2));
                destination.Write(bytes, 0, length * 2);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
