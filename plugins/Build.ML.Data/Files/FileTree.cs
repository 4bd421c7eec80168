using System.Formats.Tar;
using System.IO.Compression;

namespace Build.ML.Data.Files;

/// <summary>
/// The files below a folder, or in a .zip, .tar or .tgz file: names with forward slashes in ordinal order, contents when asked for, from
/// any thread. A tar file's contents are kept in memory.
/// </summary>
internal sealed class FileTree
{
    private readonly Dictionary<string, ZipArchiveEntry>? _entries;
    private readonly Dictionary<string, byte[]>? _unpacked;
    private readonly Lock _archive = new();

    /// <summary>Lists the files.</summary>
    /// <param name="path">The folder or archive.</param>
    /// <param name="isWanted">Which files to list, by name; of a tar file only these are kept. Default: all.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 neither folder nor file, BML5202 no archive.</exception>
    public FileTree(string path, Func<string, bool>? isWanted = null)
    {
        Path = path;
        isWanted ??= _ => true;
        if (Directory.Exists(path))
        {
            Names = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Select(f => System.IO.Path.GetRelativePath(path, f).Replace('\\', '/')).Where(isWanted).Order(StringComparer.Ordinal)];
            return;
        }

        if (IsTar(path))
        {
            _unpacked = Unpack(path, isWanted);
            Names = [.. _unpacked.Keys.Order(StringComparer.Ordinal)];
            return;
        }

        try
        {
            // Held open as long as the data set lives; others may replace the file meanwhile.
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var files = new ZipArchive(stream).Entries.Where(e => !e.FullName.EndsWith('/') && isWanted(e.FullName)).ToArray();
            _entries = files.ToDictionary(e => e.FullName, StringComparer.Ordinal);
            Names = [.. _entries.Keys.Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(path, e.Message);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw DataErrors.Malformed(path, 0, $"no zip file ({e.Message})", "a folder, a tar file, or a zip file in which each name occurs once");
        }
    }

    /// <summary>Path of the folder or archive, for messages.</summary>
    public string Path { get; }

    /// <summary>All files.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>How messages name a file of the tree.</summary>
    public string Describe(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The content of one file.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 gone, BML5202 does not unpack.</exception>
    public byte[] Read(string name)
    {
        if (_unpacked is not null)
        {
            return _unpacked[name];
        }

        try
        {
            if (_entries is null)
            {
                return File.ReadAllBytes(System.IO.Path.Combine(Path, name));
            }

            lock (_archive) // an archive is one stream
            {
                using var stream = _entries[name].Open();
                using var content = new MemoryStream();
                stream.CopyTo(content);
                return content.ToArray();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(Describe(name), e.Message);
        }
        catch (InvalidDataException e)
        {
            throw DataErrors.Malformed(Describe(name), 0, $"an entry that does not unpack ({e.Message})", "a whole zip entry");
        }
    }

    // By content: gzip's magic, or tar's in the first header (POSIX 1003.1: "ustar" at byte 257).
    private static bool IsTar(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            Span<byte> head = stackalloc byte[262];
            return file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) >= 2 && (head is [0x1f, 0x8b, ..] || head[257..].SequenceEqual("ustar"u8));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(path, e.Message);
        }
    }

    private static Dictionary<string, byte[]> Unpack(string path, Func<string, bool> isWanted)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        using var stream = new MemoryStream(new FileBytes(path).ReadAll()); // unpacks gzip
        try
        {
            using var reader = new TarReader(stream);
            while (reader.GetNextEntry() is { } entry)
            {
                if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && isWanted(entry.Name))
                {
                    using var content = new MemoryStream();
                    entry.DataStream?.CopyTo(content);
                    files[entry.Name] = content.ToArray(); // a later entry replaces an earlier one, as tar does
                }
            }

            return files;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw DataErrors.Malformed(path, stream.Position, $"no tar entry ({e.Message})", "a whole tar file, plain or gzip");
        }
    }
}
