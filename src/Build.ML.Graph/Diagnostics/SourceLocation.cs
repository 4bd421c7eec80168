using System.Globalization;

namespace Build.ML.Graph.Diagnostics;

/// <summary>A place in a file that a diagnostic points at.</summary>
/// <param name="File">Path of the file, as the user knows it.</param>
/// <param name="Line">Line, from 1; 0 where the whole file is meant.</param>
/// <param name="Column">Column, from 1; 0 where the whole line is meant.</param>
public sealed record SourceLocation(string File, int Line = 0, int Column = 0)
{
    /// <summary>The form that MSBuild and editors link: <c>file(line,col)</c>.</summary>
    public override string ToString() =>
        Line == 0 ? File
        : Column == 0 ? string.Create(CultureInfo.InvariantCulture, $"{File}({Line})")
        : string.Create(CultureInfo.InvariantCulture, $"{File}({Line},{Column})");
}
