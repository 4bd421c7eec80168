using System.Collections.Immutable;
using System.Text;

namespace Build.ML.Caching.Fingerprints;

/// <summary>One thing that decides a result.</summary>
/// <param name="Description">What it is, in words a user understands: <c>option sparsity</c>; unique in a fingerprint.</param>
/// <param name="Value">Its value, or the SHA-256 of its content.</param>
public readonly record struct FingerprintEntry(string Description, string Value);

/// <summary>
/// SHA-256 over everything that decides a result, with all that went into it. Two fingerprints are equal exactly when their hashes are.
/// </summary>
/// <param name="Hash">64 lower-case hexadecimal digits.</param>
/// <param name="Entries">In ordinal order of their descriptions.</param>
public sealed record Fingerprint(string Hash, ImmutableArray<FingerprintEntry> Entries)
{
    const string Title = "sha256 ";

    /// <summary>
    /// The form that is kept with each result: the hash in the first line, then one line <c>description=value</c> an entry. In descriptions
    /// <c>=</c>, and in both line ends and <c>\</c>, are escaped with <c>\</c>.
    /// </summary>
    public string ToText()
    {
        var text = new StringBuilder().Append(Title).Append(Hash).Append('\n');
        foreach (var entry in Entries)
        {
            Escape(text, entry.Description, '=');
            text.Append('=');
            Escape(text, entry.Value, null);
            text.Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Reads what <see cref="ToText"/> wrote.</summary>
    /// <returns>Null where the text is damaged: it does not hash to the value in its first line.</returns>
    public static Fingerprint? Parse(string text)
    {
        var lines = text.Split('\n');
        if (!lines[0].StartsWith(Title, StringComparison.Ordinal) || lines[^1].Length > 0)
        {
            return null;
        }

        var builder = new FingerprintBuilder();
        foreach (var line in lines.AsSpan(1, lines.Length - 2))
        {
            if (!TrySplit(line, out var description, out var value) || !builder.TryAdd(description, value))
            {
                return null;
            }
        }

        var fingerprint = builder.Build();
        return fingerprint.Hash == lines[0][Title.Length..] ? fingerprint : null;
    }

    private static void Escape(StringBuilder text, string part, char? separator)
    {
        foreach (var c in part)
        {
            _ = c switch
            {
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\\' => text.Append("\\\\"),
                _ when c == separator => text.Append('\\').Append(c),
                _ => text.Append(c),
            };
        }
    }

    private static bool TrySplit(string line, out string description, out string value)
    {
        var parts = new StringBuilder[] { new(), new() };
        var part = 0;
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '=' && part == 0)
            {
                part = 1;
            }
            else if (line[i] != '\\')
            {
                parts[part].Append(line[i]);
            }
            else if (++i < line.Length)
            {
                parts[part].Append(line[i] switch { 'n' => '\n', 'r' => '\r', var c => c });
            }
        }

        (description, value) = (parts[0].ToString(), parts[1].ToString());
        return part == 1;
    }
}
