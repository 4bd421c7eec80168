using System.IO.Compression;

namespace Build.ML.Data.Files;

/// <summary>
/// The bytes of a file, read where asked for. A gzip file (RFC 1952, by its first two bytes) is unpacked into memory once. The file is opened for
/// each read, so that nothing is kept open and any thread may read.
/// </summary>
internal sealed class FileBytes
{
    private readonly byte[]? _unpacked;

    /// <summary>Opens a file.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 not readable, BML5202 a broken gzip stream.</exception>
    public FileBytes(string path)
    {
        Path = path;
        try
        {
            using var file = File.OpenRead(path);
            Length = file.Length;
            Span<byte> magic = stackalloc byte[2];
            if (file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic is [0x1f, 0x8b])
            {
                file.Position = 0;
                using var unpacked = new MemoryStream();
                using var gzip = new GZipStream(file, CompressionMode.Decompress);
                gzip.CopyTo(unpacked);
                _unpacked = unpacked.ToArray();
                Length = _unpacked.Length;
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

        if (_unpacked is not null)
        {
            _unpacked.AsSpan((int)offset, destination.Length).CopyTo(destination);
            return;
        }

        try
        {
            using var handle = File.OpenHandle(Path);
            while (!destination.IsEmpty)
            {
                var read = RandomAccess.Read(handle, destination, offset);
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
