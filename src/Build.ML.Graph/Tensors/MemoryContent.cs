namespace Build.ML.Graph.Tensors;

/// <summary>Bytes held in memory.</summary>
/// <param name="bytes">The bytes; not copied, must not change afterwards.</param>
public sealed class MemoryContent(ReadOnlyMemory<byte> bytes) : TensorContent
{
    /// <inheritdoc/>
    public override long Length => bytes.Length;

    /// <inheritdoc/>
    public override ContentView Open() => new View(bytes);

    private sealed class View(ReadOnlyMemory<byte> bytes) : ContentView
    {
        public override ReadOnlySpan<byte> Slice(long offset, int length) => bytes.Span.Slice(checked((int)offset), length);
    }
}
