using System.Buffers;
using System.Security.Cryptography;

namespace Build.ML.Caching.Files;

/// <summary>SHA-256 of files, read in pieces.</summary>
public static class FileHash
{
    private const int PieceSize = 1 << 20;

    /// <summary>SHA-256 of a file's content, 64 lower-case hexadecimal digits.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Stops reading.</param>
    public static string Of(string path, CancellationToken cancellation = default)
    {
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
        try
        {
            long offset = 0;
            for (int read; (read = RandomAccess.Read(file, buffer, offset)) > 0; offset += read)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>SHA-256 of bytes, 64 lower-case hexadecimal digits.</summary>
    public static string Of(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>
    /// Copies a file and hashes it in the same pass: while one piece is hashed the next is read and written, so that the copy takes about as long as
    /// a plain one.
    /// </summary>
    /// <param name="source">File to read.</param>
    /// <param name="target">File to create; must not exist.</param>
    /// <param name="cancellation">Stops; the partial target is left for the caller to delete.</param>
    /// <returns>SHA-256 of what was copied.</returns>
    public static string Copy(string source, string target, CancellationToken cancellation = default)
    {
        using var from = File.OpenHandle(source, options: FileOptions.SequentialScan);
        using var to = File.OpenHandle(target, FileMode.CreateNew, FileAccess.Write);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffers = new[] { ArrayPool<byte>.Shared.Rent(PieceSize), ArrayPool<byte>.Shared.Rent(PieceSize) };
        var hashing = Task.CompletedTask;
        try
        {
            long offset = 0;
            for (var turn = 0; ; turn ^= 1)
            {
                cancellation.ThrowIfCancellationRequested();
                // The buffer's previous piece was hashed before the other buffer's hashing began: see the wait below.
                var buffer = buffers[turn];
                var read = RandomAccess.Read(from, buffer, offset);
                if (read == 0)
                {
                    break;
                }

                hashing.GetAwaiter().GetResult();
                hashing = Task.Run(() => hash.AppendData(buffer, 0, read), CancellationToken.None);
                RandomAccess.Write(to, buffer.AsSpan(0, read), offset);
                offset += read;
            }
        }
        finally
        {
            hashing.GetAwaiter().GetResult();
            foreach (var buffer in buffers)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
