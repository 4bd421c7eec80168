using Build.ML.Graph.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Graph.Tensors;

/// <summary>
/// A file that tensors have their bytes in, held open: it may be renamed, replaced or deleted meanwhile, the bytes stay those of the
/// file that was opened. Shared by the models that refer to it; the last one to let go closes it.
/// </summary>
internal sealed class DataFile
{
    private readonly SafeFileHandle _handle;
    private int _owners = 1;

    private DataFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        _handle = handle;
        Length = length;
    }

    /// <summary>The file as the user knows it.</summary>
    public string Path { get; }

    /// <summary>Length when it was opened, and what was appended since.</summary>
    public long Length { get; private set; }

    /// <summary>The open handle.</summary>
    public SafeFileHandle Handle =>
        _handle.IsClosed ? throw new ObjectDisposedException(Path, "The model or scratch file that holds the tensor's bytes has been disposed.") : _handle;

    /// <summary>Opens a regular file for reading.</summary>
    /// <exception cref="DiagnosticException">BML2001: it does not exist, is empty, is no regular file, or may not be read.</exception>
    public static DataFile Open(string path)
    {
        try
        {
            // Before opening: a pipe would block, a device never end. All of these, and only these, have length 0.
            if (Directory.Exists(path) || new FileInfo(path).Length == 0)
            {
                throw new DiagnosticException("BML2001", "The file is empty or no regular file; expected a file with content.", new(path));
            }

            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
            return new DataFile(path, handle, RandomAccess.GetLength(handle));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new DiagnosticException("BML2001", $"The file cannot be opened: {e.Message}", new(path));
        }
    }

    /// <summary>
    /// Creates an empty file that no ended process leaves behind: without a name from the start or, on Windows, where that is not possible, deleted when it is closed.
    /// </summary>
    public static DataFile CreateScratch(string directory)
    {
        var path = System.IO.Path.Combine(directory, System.IO.Path.GetRandomFileName());
        var options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
        var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, options);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path);
        }

        return new DataFile(path, handle, 0);
    }

    /// <summary>Writes bytes at the end and returns where they begin.</summary>
    public long Append(ReadOnlySpan<byte> bytes)
    {
        var start = Length;
        RandomAccess.Write(Handle, bytes, start);
        Length += bytes.Length;
        return start;
    }

    /// <summary>One more model refers to the file.</summary>
    public void Share() => Interlocked.Increment(ref _owners);

    /// <summary>A model lets go of the file.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            _handle.Dispose();
        }
    }

    /// <summary>Fills the destination.</summary>
    /// <exception cref="DiagnosticException">BML2002 when the file has become shorter, BML2001 when reading fails.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int read;
            try
            {
                read = RandomAccess.Read(Handle, destination, offset);
            }
            catch (IOException e)
            {
                throw new DiagnosticException("BML2001", $"The file cannot be read at byte {offset}: {e.Message}", new(Path));
            }

            if (read == 0)
            {
                throw Shortened();
            }

            destination = destination[read..];
            offset += read;
        }
    }

    /// <summary>Checks that a part is still there: reading a mapping beyond a file's end would end the process.</summary>
    /// <exception cref="DiagnosticException">BML2002.</exception>
    public void CheckStillHas(long end)
    {
        if (RandomAccess.GetLength(Handle) < end)
        {
            throw Shortened();
        }
    }

    private DiagnosticException Shortened() => new(
        "BML2002", $"The file became shorter while it was in use: it had {Length} bytes, it has {RandomAccess.GetLength(Handle)}. Open it again.", new(Path));
}
