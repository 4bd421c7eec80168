using System.Buffers;
using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning;

/// <summary>A float tensor with some weights set to 0, computed piece by piece as it is written.</summary>
internal sealed class PrunedContent(Tensor weight, PruningMask mask) : TensorContent
{
    private const int PieceLength = 1 << 18;

    /// <inheritdoc/>
    public override long Length => weight.ByteLength;

    /// <summary>Number of weights that are 0 afterwards.</summary>
    public long CountZeros()
    {
        long zeros = 0;
        ForEachPiece(piece => zeros += piece.Count(0f));
        return zeros;
    }

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var values = GC.AllocateUninitializedArray<float>(checked((int)weight.Count));
        using var view = weight.Read<float>();
        mask.Begin()(view.Span, values);
        return Tensor.Of(values, values.Length).Content.Open();
    }

    /// <inheritdoc/>
    public override void CopyTo(Stream destination, CancellationToken cancellation = default) => ForEachPiece(piece =>
    {
        cancellation.ThrowIfCancellationRequested();
        destination.Write(MemoryMarshal.AsBytes(piece));
    });

    private void ForEachPiece(PieceReader read)
    {
        var size = Math.Max(PieceLength / mask.Unit, 1) * mask.Unit;
        var buffer = ArrayPool<float>.Shared.Rent((int)Math.Min(size, weight.Count));
        try
        {
            using var view = weight.Read<float>();
            var copy = mask.Begin();
            for (var start = 0; start < view.Span.Length; start += size)
            {
                var piece = view.Span.Slice(start, Math.Min(size, view.Span.Length - start));
                copy(piece, buffer.AsSpan(0, piece.Length));
                read(buffer.AsSpan(0, piece.Length));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(buffer);
        }
    }

    private delegate void PieceReader(ReadOnlySpan<float> piece);
}
