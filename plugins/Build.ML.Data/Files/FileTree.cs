using System.IO.Compression;

namespace Build.ML.Data.Files;

/// <summary>The files below a folder, or in a .zip file: names with forward slashes in ordinal order, contents when asked for, from any thread.</summary>
internal sealed class FileTree
{
    private readonly Dictionary<string, ZipArchiveEntry>? _entries;
    private readonly Lock _archive = new();

    /// <summary>Lists the files.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 neither folder nor file, BML5202 no zip file.</exception>
    public FileTree(string path)
    {
        Path = path;
        if (Directory.Exists(path))
        {
            Names = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Select(f => System.IO.Path.GetRelativePath(path, f).Replace('\\', '/')).Order(StringComparer.Ordinal)];
            return;
        }

        try
        {
            // Held open as long as the data set lives; others may replace the file meanwhile.
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var files = new ZipArchive(stream).Entries.Where(e => !e.FullName.EndsWith('/')).ToArray();
            _entries = files.ToDictionary(e => e.FullName, StringComparer.Ordinal);
            Names = [.. _entries.Keys.Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataErrors.Unreadable(path, e.Message);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw DataErrors.Malformed(path, 0, $"no zip file ({e.Message})", "a folder, or a zip file in which each name occurs once");
        }
    }

    /// <summary>Path of the folder or zip file, for messages.</summary>
    public string Path { get; }

    /// <summary>All files.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>How messages name a file of the tree.</summary>
    public string Describe(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The content of one file.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201 gone, BML5202 does not unpack.</exception>
    public byte[] Read(string name)
    {
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
}
