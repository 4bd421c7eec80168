using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Checks what recipes say where a file is expected.</summary>
internal static class FileReferences
{
    /// <summary>The absolute path (of something that exists) or the <c>npm:</c> reference, or what is wrong.</summary>
    internal static (string? Path, Diagnostic? Problem) Resolve(YamlScalar scalar)
    {
        var text = scalar.Text;
        if (text.StartsWith(NpmReference.Scheme, StringComparison.Ordinal))
        {
            return NpmReference.TryParse(text, out _, out var why) ? (text, null) : (null, Problem("BML1022", scalar, $"{scalar.Kind}: {why}"));
        }

        // A single letter before the colon is a drive.
        if (text.IndexOf("://", StringComparison.Ordinal) > 0)
        {
            return (null, Problem("BML1022", scalar,
                $"{scalar.Kind} has a scheme that is not supported; use a path relative to this file or {NpmReference.Form}."));
        }

        if (text.Length == 0 || text.Contains('\0'))
        {
            return (null, Problem("BML1022", scalar, $"{scalar.Kind} is not a path; expected one relative to this file, or {NpmReference.Form}."));
        }

        var path = scalar.Source.Resolve(text);
        return File.Exists(path) || Directory.Exists(path)
            ? (path, null)
            : (null, Problem("BML1021", scalar, $"File {scalar.Kind} does not exist: looked for {path}; paths are relative to the file that names them.{Hint(text, path)}"));
    }

    // The usual mistakes: a backslash, which is part of a name except on Windows, and a misspelt name.
    private static string Hint(string text, string path)
    {
        if (text.Contains('\\'))
        {
            return " Write '/' between folders: it works on every system.";
        }

        var folder = Path.GetDirectoryName(path);
        if (!Directory.Exists(folder))
        {
            return "";
        }

        var names = Directory.EnumerateFileSystemEntries(folder).Take(1000).Select(Path.GetFileName).OfType<string>();
        var suggestion = Suggestion.For(Path.GetFileName(path), names);
        return suggestion.StartsWith(" Did", StringComparison.Ordinal) ? suggestion : "";
    }

    private static Diagnostic Problem(string code, YamlScalar scalar, string message) => new(code, message, scalar.Location);
}
