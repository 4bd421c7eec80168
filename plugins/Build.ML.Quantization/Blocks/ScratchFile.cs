using System.Buffers;
using Build.ML.Graph.Tensors;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// Bytes that wait for the model to be saved, in a file instead of memory. The file goes away with the last content that refers to it; deleting its folder before is
/// harmless.
/// </summary>
/// <param name="directory">Where it is made when first needed.</param>
internal sealed class ScratchFile(string directory)
{
    private const int Piece = 1 << 20;

    private SafeFileHandle? _handle;
    private long _length;

    /// <summary>Copies bytes and returns them as the content of a tensor; few of them stay in memory.</summary>
    public TensorContent Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 1 << 16)
        {
            return new MemoryContent(bytes.ToArray());
        }

        _handle ??= Create(directory);
        var start = _length;
        RandomAccess.Write(_handle, bytes, start);
        _length += bytes.Length;
        return new Part(_handle, start, bytes.Length);
    }

    /// <summary>A file that no ended process leaves behind: without a name from the start or, on Windows, where that is not possible, deleted when it is closed.</summary>
    private static SafeFileHandle Create(string directory)
    {
        var path = Path.Combine(directory, Path.GetRandomFileName());
        var options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
        var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, options);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path);
        }

        return handle;
    }

    private sealed class Part(SafeFileHandle handle, long start, int length) : TensorContent
    {
        public override long Length => length;

        public override ContentView Open()
        {
            var bytes = GC.AllocateUninitializedArray<byte>(length);
            Read(start, bytes);
            return new MemoryContent(bytes).Open();
        }

        public override void CopyTo(Stream destination, CancellationToken cancellation = default)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(Piece, length));
            try
            {
                for (var done = 0; done < length;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var piece = buffer.AsSpan(0, Math.Min(buffer.Length, length - done));
                    Read(start + done, piece);
                    destination.Write(piece);
                    done += piece.Length;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        private void Read(long from, Span<byte> destination)
        {
            while (destination.Length > 0)
            {
                var read = RandomAccess.Read(handle, destination, from);
                destination = read > 0 ? destination[read..] : throw new EndOfStreamException("A scratch file became shorter while it was in use.");
                from += read;
            }
        }
    }
}
