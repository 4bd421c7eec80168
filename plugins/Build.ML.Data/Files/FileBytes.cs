using System.IO.Compression;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Data.Files;

/// <summary>
/// The bytes of a file, read where asked for, from any thread. A gzip file (RFC 1952, by its first two bytes) is unpacked into memory once,
/// a small file is read once; a larger one is held
/// open as long as the data set lives, and others may replace it meanwhile.
/// </summary>
internal sealed class FileBytes
{
    private const int Small = 1 << 20;

    private readonly byte[]? _content;
    private readonly SafeFileHandle? _handle; // closed by its finalizer: data sets are not disposed

    /// <summary>Opens a file.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 not readable, BML5202 a broken gzip stream.</exception>
    public FileBytes(string path)
    {
        Path = path;
        try
        {
            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            Length = RandomAccess.GetLength(handle);
            Span<byte> magic = stackalloc byte[2];
            if (RandomAccess.Read(handle, magic, 0) == 2 && magic is [0x1f, 0x8b])
            {
                using var unpacked = new MemoryStream();
                using var gzip = new GZipStream(new FileStream(handle, FileAccess.Read), CompressionMode.Decompress);
                gzip.CopyTo(unpacked);
                _content = unpacked.ToArray();
                Length = _content.Length;
                return;
            }

            _handle = handle;
            if (Length <= Small)
            {
                var content = new byte[Length];
                Read(0, content);
                handle.Dispose();
                (_content, _handle) = (content, null);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(path, e.Message);
        }
        catch (InvalidDataException e)
        {
            throw DataErrors.Malformed(path, 0, $"a gzip stream that does not unpack ({e.Message})", "a whole gzip stream");
        }
    }

    /// <summary>Path, for messages.</summary>
    public string Path { get; }

    /// <summary>Number of bytes, unpacked.</summary>
    public long Length { get; }

    /// <summary>Fills <paramref name="destination"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 not readable any more, BML5202 the file ends before.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        if (offset + destination.Length > Length)
        {
            throw DataErrors.Malformed(Path, Length, "the end of the file", $"{offset + destination.Length - Length} bytes more");
        }

        if (_content is not null)
        {
            _content.AsSpan((int)offset, destination.Length).CopyTo(destination);
            return;
        }

        try
        {
            while (!destination.IsEmpty)
            {
                var read = RandomAccess.Read(_handle!, destination, offset);
                if (read == 0)
                {
                    throw DataErrors.Malformed(Path, offset, "the end of the file", $"{destination.Length} bytes more");
                }

                offset += read;
                destination = destination[read..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(Path, e.Message);
        }
    }

    /// <summary>The whole file.</summary>
    public byte[] ReadAll() => Read(0, checked((int)Length));

    /// <summary>A part of the file as an array.</summary>
    public byte[] Read(long offset, int length)
    {
        var bytes = new byte[length];
        Read(offset, bytes);
        return bytes;
    }
}
