namespace Build.ML.Graph.Tensors;

/// <summary>
/// Bytes computed each time they are opened, so that a pass over a model of any size holds one tensor at a time: the
/// quantized form of a weight is computed when the model is saved.
/// </summary>
/// <param name="length">Number of bytes that <paramref name="compute"/> yields.</param>
/// <param name="compute">Must give the same bytes each time.</param>
public sealed class ComputedContent(long length, Func<ReadOnlyMemory<byte>> compute) : TensorContent
{
    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var bytes = compute();
        return bytes.Length == length
            ? new MemoryContent(bytes).Open()
            : throw new InvalidOperationException($"Computed {bytes.Length} bytes for a tensor of {length}.");
    }
}
