using System.Collections;
using System.Globalization;
using System.Text;

namespace Build.ML.Tasks.Json;

/// <summary>
/// JSON (RFC 8259) to plain objects and back, one line: the task assembly must load in any MSBuild, so it brings no JSON library.
/// Objects are <see cref="JsonObject"/>, arrays <see cref="List{T}"/>, whole numbers <see cref="long"/>, others <see cref="double"/>.
/// </summary>
public static class JsonText
{
    const int DeepestNesting = 64;

    /// <summary>Reads one value and nothing after it.</summary>
    /// <exception cref="FormatException">The text is not JSON; the message names the offset.</exception>
    public static object? Parse(string text)
    {
        var position = 0;
        var value = Value(text, ref position, 0);
        SkipSpace(text, ref position);
        return position == text.Length ? value : throw Wrong(text, position, "the end");
    }

    /// <summary>Reads one object.</summary>
    /// <exception cref="FormatException">The text is not a JSON object.</exception>
    public static JsonObject ParseObject(string text) =>
        Parse(text) as JsonObject ?? throw new FormatException("Expected a JSON object, found another value.");

    /// <summary>Writes a value on one line.</summary>
    public static string Write(object? value)
    {
        var text = new StringBuilder();
        Append(text, value);
        return text.ToString();
    }

    static object? Value(string text, ref int position, int depth)
    {
        SkipSpace(text, ref position);
        if (depth > DeepestNesting)
            throw Wrong(text, position, $"at most {DeepestNesting} levels");
        if (position == text.Length)
            throw Wrong(text, position, "a value");
        switch (text[position])
        {
            case '{': return Object(text, ref position, depth);
            case '[': return Array(text, ref position, depth);
            case '"': return String(text, ref position);
            case 't': Word(text, ref position, "true"); return true;
            case 'f': Word(text, ref position, "false"); return false;
            case 'n': Word(text, ref position, "null"); return null;
            default: return Number(text, ref position);
        }
    }

    static JsonObject Object(string text, ref int position, int depth)
    {
        var members = new JsonObject();
        position++;
        for (var first = true; !Ends(text, ref position, '}', first); first = false)
        {
            SkipSpace(text, ref position);
            var name = String(text, ref position);
            SkipSpace(text, ref position);
            Word(text, ref position, ":");
            members[name] = Value(text, ref position, depth + 1);
        }
        return members;
    }

    static List<object?> Array(string text, ref int position, int depth)
    {
        var elements = new List<object?>();
        position++;
        for (var first = true; !Ends(text, ref position, ']', first); first = false)
            elements.Add(Value(text, ref position, depth + 1));
        return elements;
    }

    // Consumes the closing bracket, or the comma that every element but the first follows.
    static bool Ends(string text, ref int position, char close, bool first)
    {
        SkipSpace(text, ref position);
        if (position < text.Length && text[position] == close)
        {
            position++;
            return true;
        }
        if (!first)
            Word(text, ref position, ",");
        return false;
    }

    static string String(string text, ref int position)
    {
        Word(text, ref position, "\"");
        var start = position;
        while (position < text.Length && text[position] is not ('"' or '\\'))
            position++;
        if (position < text.Length && text[position] == '"')
            return text.Substring(start, position++ - start);

        var value = new StringBuilder(text, start, position - start, Math.Max(16, 2 * (position - start)));
        while (position < text.Length && text[position] != '"')
        {
            var c = text[position++];
            value.Append(c == '\\' ? Escape(text, ref position) : c);
        }
        Word(text, ref position, "\"");
        return value.ToString();
    }

    static char Escape(string text, ref int position)
    {
        if (position == text.Length)
            throw Wrong(text, position, "an escape");
        switch (text[position++])
        {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'b': return '\b';
            case 'f': return '\f';
            case 'u' when position + 4 <= text.Length
                && ushort.TryParse(text.Substring(position, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit):
                position += 4;
                return (char)unit;
            case var c when c is '"' or '\\' or '/': return c;
            default: throw Wrong(text, position - 1, "an escape");
        }
    }

    static object Number(string text, ref int position)
    {
        var start = position;
        while (position < text.Length && (char.IsDigit(text[position]) || text[position] is '-' or '+' or '.' or 'e' or 'E'))
            position++;
        var digits = text.Substring(start, position - start);
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
            return whole;
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number : throw Wrong(text, start, "a value");
    }

    static void Word(string text, ref int position, string word)
    {
        if (string.CompareOrdinal(text, position, word, 0, word.Length) != 0)
            throw Wrong(text, position, $"'{word}'");
        position += word.Length;
    }

    static void SkipSpace(string text, ref int position)
    {
        while (position < text.Length && text[position] is ' ' or '\t' or '\n' or '\r')
            position++;
    }

    static FormatException Wrong(string text, int position, string expected)
    {
        var found = position < text.Length ? $"'{text.Substring(position, Math.Min(20, text.Length - position))}'" : "the end";
        return new FormatException($"Not JSON: expected {expected} at offset {position}, found {found}.");
    }

    static void Append(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null: text.Append("null"); break;
            case string s: AppendString(text, s); break;
            case bool b: text.Append(b ? "true" : "false"); break;
            case JsonObject o:
                AppendAll(text, '{', '}', o, member =>
                {
                    AppendString(text, member.Key);
                    text.Append(':');
                    Append(text, member.Value);
                });
                break;
            case IEnumerable elements:
                AppendAll(text, '[', ']', elements.Cast<object?>(), element => Append(text, element));
                break;
            case double number: text.Append(number.ToString("R", CultureInfo.InvariantCulture)); break;
            case IFormattable number: text.Append(number.ToString(null, CultureInfo.InvariantCulture)); break;
            default: throw new ArgumentException($"{value.GetType()} has no JSON form.", nameof(value));
        }
    }

    static void AppendAll<T>(StringBuilder text, char open, char close, IEnumerable<T> parts, Action<T> append)
    {
        text.Append(open);
        var first = true;
        foreach (var part in parts)
        {
            if (!first)
                text.Append(',');
            first = false;
            append(part);
        }
        text.Append(close);
    }

    static void AppendString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
            if (c is '"' or '\\')
                text.Append('\\').Append(c);
            else if (c == '\n')
                text.Append("\\n");
            else if (c < ' ')
                text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            else
                text.Append(c);
        text.Append('"');
    }
}
