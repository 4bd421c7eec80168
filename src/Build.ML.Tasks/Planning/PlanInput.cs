using System.Security.Cryptography;
using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Planning;

/// <summary>A file that a plan was made from, as it was then.</summary>
/// <param name="path">Full path.</param>
/// <param name="size">Bytes; −2 for a folder.</param>
/// <param name="modified">Time of last write in UTC ticks.</param>
/// <param name="sha256">Hash of the content, lower-case hexadecimal; empty for a folder.</param>
public sealed class PlanInput(string path, long size, long modified, string sha256)
{
    // Read whole at every plan: a recipe that was edited and put back to its old time within a second is still seen.
    const long AlwaysHashed = 64 * 1024;

    // Stands for the size of a folder, whose time tells of files that came or went; the files in it are inputs of their own.
    const long FolderSize = -2;

    // A file written within this time before the record may have been written once more without its time moving on.
    static readonly long ClockGrain = TimeSpan.FromSeconds(2).Ticks;

    /// <summary>Reads an input from the worker's plan or from a record.</summary>
    public PlanInput(JsonObject json) : this(json.Text("path"), json.Number("size"), json.Number("modified"), json.Text("sha256"))
    {
    }

    /// <summary>Full path.</summary>
    public string Path { get; } = path;

    /// <summary>Bytes; −2 for a folder.</summary>
    public long Size { get; } = size;

    /// <summary>Time of last write in UTC ticks.</summary>
    public long Modified { get; } = modified;

    /// <summary>Whether this is a folder.</summary>
    public bool IsFolder => Size == FolderSize;

    /// <summary>The input as the record keeps it.</summary>
    public JsonObject ToJson() => new() { ["path"] = Path, ["size"] = Size, ["modified"] = Modified, ["sha256"] = sha256 };

    /// <summary>
    /// Looks at the file again: null when its content is another one, this object when nothing moved, else the same content with its new time.
    /// The content is read only where size and time cannot tell.
    /// </summary>
    /// <param name="recorded">When the record was written, in UTC ticks.</param>
    public PlanInput? Refresh(long recorded)
    {
        if (IsFolder)
            return Directory.Exists(Path) && Directory.GetLastWriteTimeUtc(Path).Ticks == Modified ? this : null;
        var file = new FileInfo(Path);
        if (!file.Exists || file.Length != Size)
            return null;
        var modified = file.LastWriteTimeUtc.Ticks;
        var settled = modified == Modified && modified + ClockGrain < recorded;
        if (settled && Size > AlwaysHashed)
            return this;
        if (!string.Equals(Hash(Path), sha256, StringComparison.OrdinalIgnoreCase))
            return null;
        return modified == Modified ? this : new PlanInput(Path, Size, modified, sha256);
    }

    /// <summary>SHA-256 of a file, lower-case hexadecimal.</summary>
    public static string Hash(string path)
    {
        using var algorithm = SHA256.Create();
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16);
        return string.Concat(algorithm.ComputeHash(stream).Select(b => b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
    }
}
