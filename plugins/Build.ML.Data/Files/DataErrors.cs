using System.Globalization;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Files;

/// <summary>The diagnostics of readers: file, place, actual, expected.</summary>
internal static class DataErrors
{
    /// <summary>BML5201: the file or folder is not there or cannot be opened.</summary>
    public static DiagnosticException Unreadable(string file, string reason) =>
        new("BML5201", $"{reason} Check the path in the recipe.", new(file));

    /// <summary>BML5202: the bytes are not what the format says.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">First byte that is wrong, from 0.</param>
    /// <param name="actual">What is there.</param>
    /// <param name="expected">What the format asks for.</param>
    public static DiagnosticException Malformed(string file, long offset, string actual, string expected) => new(
        "BML5202",
        string.Create(CultureInfo.InvariantCulture, $"At byte {offset}: found {actual}, expected {expected}. Write the file again or name another reader."),
        new(file));

    /// <summary>BML5202 in a text file.</summary>
    public static Diagnostic MalformedLine(string file, int line, string actual, string expected, int column = 0) =>
        new("BML5202", $"Found {actual}, expected {expected}. Correct the line.", new(file, line, column));

    /// <summary>BML5203: two files that belong together do not have equally many samples.</summary>
    public static DiagnosticException CountsDiffer(string file, long count, string other, long otherCount) => new(
        "BML5203",
        string.Create(CultureInfo.InvariantCulture, $"It holds {count} samples, '{other}' holds {otherCount}; expected as many. Use files that belong together."),
        new(file));

    /// <summary>BML5204: an option asks for what the file does not have.</summary>
    public static DiagnosticException DoesNotFit(string file, string message) => new("BML5204", message, new(file));
}
