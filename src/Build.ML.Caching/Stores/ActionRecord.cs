using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Build.ML.Caching.Files;

namespace Build.ML.Caching.Stores;

/// <summary>
/// The text form of a <see cref="StoredArtifact"/>: a title, <c>file sha256 size name</c> and <c>fact key value</c> lines (key and value in hexadecimal), and in the last
/// line the hash of all before it, so that a torn record is told from a whole one.
/// </summary>
internal static class ActionRecord
{
    private const string Title = "build-ml artifact 1";
    private const string End = "end ";

    public static string Write(StoredArtifact artifact)
    {
        var text = new StringBuilder(Title).Append('\n');
        foreach (var file in artifact.Files)
        {
            text.Append(CultureInfo.InvariantCulture, $"file {file.Sha256} {file.Size} {file.Name}\n");
        }

        foreach (var (key, value) in artifact.Facts)
        {
            text.Append(CultureInfo.InvariantCulture, $"fact {Convert.ToHexStringLower(Encoding.UTF8.GetBytes(key))} ");
            text.Append(Convert.ToHexStringLower(Encoding.UTF8.GetBytes(value))).Append('\n');
        }

        var hash = FileHash.Of(Encoding.UTF8.GetBytes(text.ToString()));
        return text.Append(End).Append(hash).Append('\n').ToString();
    }

    /// <summary>Null when the record is damaged or names a file outside its folder.</summary>
    public static StoredArtifact? Read(string text)
    {
        var end = text.LastIndexOf(End, StringComparison.Ordinal);
        if (end < 0 || !text.StartsWith(Title + "\n", StringComparison.Ordinal) || text[^1] != '\n'
            || text[(end + End.Length)..^1] != FileHash.Of(Encoding.UTF8.GetBytes(text[..end])))
        {
            return null;
        }

        var files = ImmutableArray.CreateBuilder<StoredFile>();
        var facts = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var line in text[..end].Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1))
        {
            var parts = line.Split(' ', 4);
            if (parts[0] == "file" && parts.Length == 4 && IsInside(parts[3]))
            {
                files.Add(new(parts[3], long.Parse(parts[2], CultureInfo.InvariantCulture), parts[1]));
            }
            else if (parts[0] == "fact" && parts.Length == 3)
            {
                facts.Add(Encoding.UTF8.GetString(Convert.FromHexString(parts[1])), Encoding.UTF8.GetString(Convert.FromHexString(parts[2])));
            }
            else
            {
                return null;
            }
        }

        return new(files.ToImmutable(), facts.ToImmutable());
    }

    /// <summary>Whether a name is a path below the folder: relative, without <c>..</c>, in one line.</summary>
    public static bool IsInside(string name) =>
        name.Length > 0 && !name.Contains('\n') && !name.Contains('\\') && !Path.IsPathRooted(name) && !name.Split('/').Any(p => p is "" or "." or "..");
}
