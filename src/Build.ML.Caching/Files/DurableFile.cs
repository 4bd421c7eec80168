using System.Runtime.InteropServices;
using System.Text;

namespace Build.ML.Caching.Files;

/// <summary>Writes that are there whole or not at all, also after a crash or loss of power.</summary>
public static partial class DurableFile
{
    private const int ReadOnly = 0;

    /// <summary>Replaces a file's content: temporary file beside it, flushed to disk, renamed over it, folder flushed.</summary>
    /// <param name="path">Full path; its folder is created when missing.</param>
    /// <param name="text">UTF-8, written without byte order mark.</param>
    public static void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Write(string, string)"/>
    /// <param name="path">Full path; its folder is created when missing.</param>
    /// <param name="bytes">The content.</param>
    public static void Write(string path, ReadOnlySpan<byte> bytes) =>
        Write(path, bytes, Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{Path.GetRandomFileName()}"));

    internal static void Write(string path, string text, string temporary) => Write(path, Encoding.UTF8.GetBytes(text), temporary);

    private static void Write(string path, ReadOnlySpan<byte> bytes, string temporary)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, bytes, 0);
                RandomAccess.FlushToDisk(file);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        FlushFolder(folder);
    }

    /// <summary>
    /// Writes text only when the file does not hold it already, so that its time stamp tells of a change. Renamed into place, but not flushed to disk: for
    /// files that are checked when read and easily written again.
    /// </summary>
    /// <returns>Whether it was written.</returns>
    public static bool WriteIfChanged(string path, string text)
    {
        if (File.Exists(path) && File.ReadAllText(path) == text)
        {
            return false;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.{Path.GetRandomFileName()}";
        File.WriteAllText(temporary, text);
        File.Move(temporary, path, overwrite: true);
        return true;
    }

    /// <summary>Flushes a file's content to disk.</summary>
    public static void Flush(string path)
    {
        // Windows flushes only what is open for writing; such a file must not be read-only yet.
        using var file = File.OpenHandle(path, access: OperatingSystem.IsWindows() ? FileAccess.ReadWrite : FileAccess.Read);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Flushes a folder, which makes renames in it last. Windows journals them by itself.</summary>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var descriptor = open(folder, ReadOnly);
        if (descriptor < 0)
        {
            throw new IOException($"{folder} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}", Marshal.GetLastPInvokeError());
        }

        // Some network file systems cannot flush folders (EINVAL); nothing stronger exists there.
        _ = fsync(descriptor);
        _ = close(descriptor);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);
}
