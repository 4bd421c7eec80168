using System.Globalization;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// The files beside a model that hold tensors' bytes (<c>TensorProto.external_data</c>). A model may come from anywhere, so it may only name
/// regular files in its own folder or below, links resolved.
/// </summary>
/// <param name="folder">The model's folder; null when the model is not a file.</param>
internal sealed class ExternalFiles(string? folder)
{
    private const int MaxLinks = 40;
    private readonly Dictionary<string, DataFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);

    /// <summary>The files opened so far.</summary>
    public IReadOnlyCollection<DataFile> Files => _files.Values;

    /// <summary>The bytes of a tensor.</summary>
    /// <param name="entries">Its external_data.</param>
    /// <param name="length">Bytes its type and sizes take.</param>
    /// <param name="type">Element type.</param>
    /// <param name="place">Where the tensor is, for messages.</param>
    /// <exception cref="DiagnosticException">BML2009 to BML2011.</exception>
    public TensorContent Content(IReadOnlyList<KeyValuePair<string, string>> entries, long length, DataType type, string place)
    {
        string? location = null;
        long offset = 0;
        long? stated = null;
        foreach (var (key, value) in entries)
        {
            switch (key)
            {
                case "location":
                    location = value;
                    break;
                case "offset":
                    offset = Number(key, value, place);
                    break;
                case "length":
                    stated = Number(key, value, place);
                    break;
            }
        }

        if (type == DataType.String)
        {
            throw new DiagnosticException("BML2011", $"In {place}, a tensor of strings has external data; strings must be in the model itself.");
        }

        if (stated is { } value2 && value2 != length)
        {
            throw new DiagnosticException("BML2011", $"In {place}, external data has length {value2}, type and sizes take {length} bytes.");
        }

        if (location is null)
        {
            throw new DiagnosticException("BML2009", $"In {place}, external data has no location; expected a file name relative to the model.");
        }

        if (!_paths.TryGetValue(location, out var path))
        {
            _paths.Add(location, path = Resolve(location, place));
        }

        if (length == 0)
        {
            return new MemoryContent(default);
        }

        var file = Open(location, path, place);
        return offset <= file.Length - length
            ? new FileContent(file, offset, length)
            : throw new DiagnosticException(
                "BML2011", $"In {place}, external data is bytes {offset} to {(UInt128)offset + (UInt128)length} of '{location}', which has {file.Length}; the file is truncated or another.");
    }

    private static long Number(string key, string value, string place) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new DiagnosticException("BML2011", $"In {place}, external data has {key} '{value}'; expected a whole number from 0 to 2^63-1.");

    private DataFile Open(string location, string path, string place)
    {
        if (!_files.TryGetValue(path, out var file))
        {
            try
            {
                file = DataFile.Open(path);
            }
            catch (DiagnosticException e)
            {
                throw new DiagnosticException("BML2010", $"In {place}, external data '{location}': {e.Diagnostics[0].Message} Copy the file beside the model.");
            }

            _files.Add(path, file);
        }

        return file;
    }

    private string Resolve(string location, string place)
    {
        if (folder is null)
        {
            throw new DiagnosticException("BML2010", $"In {place}, external data '{location}' is asked for, but the model was not opened from a file; open it by its path.");
        }

        var parts = location.Split('/');
        if (location.Contains('\0', StringComparison.Ordinal) || location.Contains('\\', StringComparison.Ordinal) || location.Contains(':', StringComparison.Ordinal)
            || location.StartsWith('/') || Path.IsPathRooted(location) || parts.Contains("..") || parts[^1] is "" or ".")
        {
            throw new DiagnosticException(
                "BML2009", $"In {place}, external data is at '{location}'; expected a file in the model's folder or below, relative, with '/' and without '..'.");
        }

        var root = FinalPath(Path.GetFullPath(folder), place, location);
        var target = FinalPath(Path.Combine(root, Path.Combine(parts)), place, location);
        return target.StartsWith(Path.EndsInDirectorySeparator(root) ? root : root + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? target
            : throw new DiagnosticException(
                "BML2009", $"In {place}, external data '{location}' leads out of the model's folder by a link; copy the file beside the model.");
    }

    /// <summary>The path with the links in all of its parts resolved.</summary>
    private static string FinalPath(string path, string place, string location)
    {
        var links = 0;
        var root = Path.GetPathRoot(path)!;
        var pending = new Stack<string>(path[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse());
        var resolved = root;
        while (pending.TryPop(out var part))
        {
            var next = Path.Combine(resolved, part);
            var target = LinkTarget(next);
            if (target is null)
            {
                resolved = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new DiagnosticException("BML2009", $"In {place}, external data '{location}' goes through more than {MaxLinks} links.");
            }

            var full = Path.GetFullPath(target, resolved);
            root = Path.GetPathRoot(full)!;
            resolved = root;
            foreach (var name in full[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                pending.Push(name);
            }
        }

        return resolved;
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // not there: opening it says so
        }
    }
}
