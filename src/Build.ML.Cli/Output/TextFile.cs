using Build.ML.Caching.Files;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Cli.Output;

/// <summary>Writes text files for users.</summary>
internal static class TextFile
{
    /// <summary>Writes a file whole or not at all, creating its folder.</summary>
    /// <returns>The path.</returns>
    /// <exception cref="DiagnosticException">BML8006: it cannot be written.</exception>
    public static string Write(string path, string text)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.Write(path, text);
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("BML8006", $"The file cannot be written: {e.Message}", new(path));
        }
    }
}
