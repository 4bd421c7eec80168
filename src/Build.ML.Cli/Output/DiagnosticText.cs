using Build.ML.Graph.Diagnostics;

namespace Build.ML.Cli.Output;

/// <summary>Diagnostics as text.</summary>
internal static class DiagnosticText
{
    /// <summary>The canonical line <c>file(line,col): error BML1001: message</c>; files below the folder by their relative path.</summary>
    public static string Of(Diagnostic diagnostic, string folder)
    {
        if (diagnostic.Location is not { } location || !Path.IsPathRooted(location.File))
        {
            return diagnostic.ToString();
        }

        var relative = Path.GetRelativePath(folder, location.File);
        var isBelow = !Path.IsPathRooted(relative) && !relative.StartsWith("..", StringComparison.Ordinal);
        return (isBelow ? diagnostic with { Location = location with { File = relative } } : diagnostic).ToString();
    }
}
