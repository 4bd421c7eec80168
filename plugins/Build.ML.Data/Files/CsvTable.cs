using System.Collections.Immutable;
using System.Text;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Files;

/// <summary>
/// A delimited text file (RFC 4180: quotes around a field, doubled inside; lines end with LF or CRLF) with a header line, read whole. Every
/// record has
/// as many fields as the header; empty lines are passed over.
/// </summary>
internal sealed class CsvTable
{
    private CsvTable(string file, ImmutableArray<string> header, List<(int Line, string[] Fields)> rows) =>
        (File, Header, Rows) = (file, header, rows);

    /// <summary>Path, for messages.</summary>
    public string File { get; }

    /// <summary>Names of the columns.</summary>
    public ImmutableArray<string> Header { get; }

    /// <summary>The records after the header, with the line each begins at.</summary>
    public IReadOnlyList<(int Line, string[] Fields)> Rows { get; }

    /// <summary>Parses UTF-8 text.</summary>
    /// <exception cref="DiagnosticException">BML5202: every record with another number of fields than the header, or the first misplaced
    /// quote.</exception>
    public static CsvTable Read(ReadOnlySpan<byte> utf8, string file, char delimiter = ',')
    {
        var records = Records(Encoding.UTF8.GetString(utf8.StartsWith(Encoding.UTF8.Preamble) ? utf8[3..] : utf8), file, delimiter);
        if (records.Count == 0)
        {
            throw new DiagnosticException(DataErrors.MalformedLine(file, 1, "an empty file", "a header line"));
        }

        ImmutableArray<string> header = [.. records[0].Fields];
        records.RemoveAt(0);
        var errors = records.Where(r => r.Fields.Length != header.Length)
            .Select(r => DataErrors.MalformedLine(file, r.Line, $"{r.Fields.Length} fields", $"{header.Length} as in the header")).ToArray();
        return errors.Length == 0 ? new CsvTable(file, header, records) : throw new DiagnosticException(errors);
    }

    /// <summary>Which column has that name.</summary>
    /// <exception cref="DiagnosticException">BML5204: none, or more than one.</exception>
    public int Column(string name)
    {
        var index = Header.IndexOf(name);
        return index >= 0 && Header.LastIndexOf(name) == index
            ? index
            : throw DataErrors.DoesNotFit(
                File, $"{(index < 0 ? "No column" : "More than one column")} is named '{name}'; the columns are {string.Join(", ", Header)}.");
    }

    private static List<(int Line, string[] Fields)> Records(string text, string file, char delimiter)
    {
        var records = new List<(int, string[])>();
        var fields = new List<string>();
        var field = new StringBuilder();
        var (line, start) = (1, 1);
        for (var i = 0; i < text.Length;)
        {
            field.Clear();
            var quoted = text[i] == '"';
            if (quoted)
            {
                i = Quoted(text, i, field, file, ref line);
            }

            for (; i < text.Length && text[i] != delimiter && text[i] != '\n'; i++)
            {
                if (text[i] == '\r' && (i + 1 == text.Length || text[i + 1] == '\n'))
                {
                    continue;
                }

                field.Append(!quoted && text[i] != '"' ? text[i] : throw new DiagnosticException(DataErrors.MalformedLine(
                    file, line, quoted ? "text after a closing quote" : "a quote inside a field", "quotes around the whole field, doubled inside", i - text.LastIndexOf('\n', i))));
            }

            fields.Add(field.ToString());
            var ends = i >= text.Length || text[i] == '\n';
            var trailing = !ends && i + 1 == text.Length; // a delimiter at the very end opens an empty last field
            if (trailing)
            {
                fields.Add("");
            }

            i++;
            if (!ends && !trailing)
            {
                continue;
            }

            if (fields.Count > 1 || fields[0].Length > 0)
            {
                records.Add((start, [.. fields]));
            }

            fields.Clear();
            start = ++line;
        }

        return records;
    }

    // Reads a quoted field from its opening quote; returns the index after the closing one.
    private static int Quoted(string text, int open, StringBuilder field, string file, ref int line)
    {
        var openLine = line;
        for (var i = open + 1; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                if (i + 1 >= text.Length || text[i + 1] != '"')
                {
                    return i + 1;
                }

                i++;
            }

            line += text[i] == '\n' ? 1 : 0;
            field.Append(text[i]);
        }

        throw new DiagnosticException(DataErrors.MalformedLine(
            file, openLine, "the end of the file inside quotes", "a closing quote", open - (open == 0 ? -1 : text.LastIndexOf('\n', open - 1))));
    }
}
