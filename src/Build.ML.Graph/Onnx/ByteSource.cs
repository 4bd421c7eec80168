using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>The bytes a model is read from: a file or memory.</summary>
internal abstract class ByteSource
{
    /// <summary>Contents up to this size are read at once, for a mapping costs more than they do.</summary>
    public const int SmallContent = 1024;

    /// <summary>Number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>The bytes in memory, or default when they are in a file.</summary>
    public virtual ReadOnlyMemory<byte> Memory => default;

    /// <summary>Fills the destination from an offset.</summary>
    public abstract void Read(long offset, Span<byte> destination);

    /// <summary>A part of the bytes as a tensor's content, left where it is when it is large.</summary>
    public abstract TensorContent Content(long offset, long length);

    /// <summary>A part of the bytes in an array.</summary>
    public byte[] ToArray(long offset, long length)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));
        Read(offset, bytes);
        return bytes;
    }
}

/// <summary>Bytes in memory.</summary>
internal sealed class MemorySource(ReadOnlyMemory<byte> bytes) : ByteSource
{
    public override long Length => bytes.Length;

    public override ReadOnlyMemory<byte> Memory => bytes;

    public override void Read(long offset, Span<byte> destination) => bytes.Span.Slice(checked((int)offset), destination.Length).CopyTo(destination);

    public override TensorContent Content(long offset, long length) => new MemoryContent(bytes.Slice(checked((int)offset), checked((int)length)));
}

/// <summary>Bytes of an open file.</summary>
internal sealed class FileSource(DataFile file) : ByteSource
{
    public override long Length => file.Length;

    public override void Read(long offset, Span<byte> destination) => file.Read(offset, destination);

    public override TensorContent Content(long offset, long length) =>
        length <= SmallContent ? new MemoryContent(ToArray(offset, length)) : new FileContent(file, offset, length);
}
