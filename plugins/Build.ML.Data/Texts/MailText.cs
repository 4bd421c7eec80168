using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Build.ML.Data.Texts;

/// <summary>
/// What a reader sees of an e-mail: headers by RFC 5322 with encoded words by RFC 2047, bodies by MIME (RFC 2045, 2046). Lenient: mail in
/// the wild breaks every rule.
/// </summary>
/// <param name="Subject">Decoded, in one line.</param>
/// <param name="Body">Text of all parts that are shown.</param>
internal sealed partial record MailText(string Subject, string Body)
{
    private const int DeepestPart = 16;

    /// <summary>Reads a mail.</summary>
    public static MailText Of(ReadOnlySpan<byte> bytes)
    {
        // One character a byte, so that parts can be cut as text and decoded by their own character set.
        var (headers, body) = Split(Encoding.Latin1.GetString(bytes));
        return new(EncodedWords(headers.GetValueOrDefault("subject", "")), BodyOf(headers, body, 0));
    }

    private static (Dictionary<string, string> Headers, string Body) Split(string part)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var (position, name) = (0, "");
        while (position < part.Length)
        {
            var end = part.IndexOf('\n', position);
            var line = part[position..(end < 0 ? part.Length : end)].TrimEnd('\r');
            position = end < 0 ? part.Length : end + 1;
            if (line.Length == 0)
            {
                break;
            }

            if (line[0] is ' ' or '\t')
            {
                if (headers.TryGetValue(name, out var folded))
                {
                    headers[name] = folded + " " + line.Trim();
                }

                continue;
            }

            var colon = line.IndexOf(':');
            name = colon > 0 ? line[..colon].Trim() : "";
            if (colon > 0)
            {
                headers.TryAdd(name, line[(colon + 1)..].Trim());
            }
        }

        return (headers, part[position..]);
    }

    private static string BodyOf(Dictionary<string, string> headers, string body, int depth)
    {
        var type = headers.GetValueOrDefault("content-type", "text/plain");
        var kind = type.Split(';')[0].Trim().ToLowerInvariant();
        if (kind.StartsWith("multipart/", StringComparison.Ordinal))
        {
            return depth < DeepestPart && Parameter(type, "boundary") is { Length: > 0 } boundary ? Parts(body, boundary, kind == "multipart/alternative", depth) : "";
        }

        if (kind.StartsWith("message/", StringComparison.Ordinal))
        {
            return depth < DeepestPart && Split(body) is var (inner, text) ? BodyOf(inner, text, depth + 1) : "";
        }

        if (kind.Contains('/') && !kind.StartsWith("text/", StringComparison.Ordinal))
        {
            return "";
        }

        var decoded = Decode(Transferred(body, headers.GetValueOrDefault("content-transfer-encoding", "")), Parameter(type, "charset"));
        return kind == "text/html" ? WithoutTags(decoded) : decoded;
    }

    // Of alternatives the first that has text (the plainest comes first), else all parts one after the other.
    private static string Parts(string body, string boundary, bool isAlternative, int depth)
    {
        var texts = new List<string>();
        var pieces = ("\n" + body.Replace("\r\n", "\n", StringComparison.Ordinal)).Split("\n--" + boundary);
        for (var i = 1; i < pieces.Length && !pieces[i].StartsWith("--", StringComparison.Ordinal); i++)
        {
            var (headers, part) = Split(pieces[i][(pieces[i].IndexOf('\n') + 1)..]);
            var text = BodyOf(headers, part, depth + 1);
            if (!string.IsNullOrWhiteSpace(text))
            {
                texts.Add(text);
                if (isAlternative)
                {
                    break;
                }
            }
        }

        return string.Join('\n', texts);
    }

    private static byte[] Transferred(string body, string encoding) => encoding.Trim().ToLowerInvariant() switch
    {
        "base64" => Base64(body),
        "quoted-printable" => QuotedPrintable(body, isHeader: false),
        _ => Encoding.Latin1.GetBytes(body),
    };

    private static byte[] Base64(string text)
    {
        var digits = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '+' or '/')
            {
                digits.Append(c);
            }
        }

        digits.Length -= digits.Length % 4 == 1 ? 1 : 0;
        return Convert.FromBase64String(digits.ToString().PadRight((digits.Length + 3) / 4 * 4, '='));
    }

    private static byte[] QuotedPrintable(string text, bool isHeader)
    {
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '=' && i + 2 < text.Length && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                bytes.Add(value);
                i += 2;
            }
            else if (text[i] == '=' && !isHeader && text.AsSpan(i + 1).TrimStart(" \t\r").StartsWith('\n'))
            {
                i = text.IndexOf('\n', i); // a soft line break
            }
            else
            {
                bytes.Add(isHeader && text[i] == '_' ? (byte)' ' : (byte)text[i]);
            }
        }

        return [.. bytes];
    }

    // Unknown character sets and bytes that break them are read as Windows-1252, whose lower half is ASCII.
    private static string Decode(byte[] bytes, string? charset)
    {
        var name = (charset ?? "").Trim().ToLowerInvariant();
        if (name is "" or "us-ascii" or "ascii" or "utf-8" or "utf8" && System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : CodePagesEncodingProvider.Instance.GetEncoding(1252)!.GetString(bytes);
        }

        try
        {
            return (CodePagesEncodingProvider.Instance.GetEncoding(name) ?? Encoding.GetEncoding(name)).GetString(bytes);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(1252)!.GetString(bytes);
        }
    }

    private static string? Parameter(string header, string name)
    {
        var match = Regex.Match(header, $@";\s*{name}\s*=\s*(?:""([^""]*)""|([^\s;]+))", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
        return match.Success ? match.Groups[1].Value + match.Groups[2].Value : null;
    }

    // Blanks between two encoded words are not part of the text.
    private static string EncodedWords(string header) => EncodedWord().Replace(AdjacentWords().Replace(header, "$1"), match =>
    {
        var text = match.Groups[3].Value;
        return Decode(match.Groups[2].ValueSpan is "B" or "b" ? Base64(text) : QuotedPrintable(text, isHeader: true), match.Groups[1].Value);
    });

    private static string WithoutTags(string html) => System.Net.WebUtility.HtmlDecode(Tag().Replace(Hidden().Replace(html, " "), " "));

    [GeneratedRegex(@"=\?([^?\s]+)\?([QqBb])\?([^?\s]*)\?=", RegexOptions.CultureInvariant)]
    private static partial Regex EncodedWord();

    [GeneratedRegex(@"(\?=)\s+(?==\?[^?\s]+\?[QqBb]\?)", RegexOptions.CultureInvariant)]
    private static partial Regex AdjacentWords();

    [GeneratedRegex(@"<!--.*?(?:-->|\z)|<(script|style|title)\b.*?(?:</\1\s*>|\z)", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex Hidden();

    [GeneratedRegex(@"<[A-Za-z/!?][^>]*(?:>|\z)", RegexOptions.CultureInvariant)]
    private static partial Regex Tag();
}
