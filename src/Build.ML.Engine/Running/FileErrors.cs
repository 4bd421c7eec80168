using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Running;

/// <summary>What the engine says when the file system does not do as told.</summary>
internal static class FileErrors
{
    /// <summary>The diagnostic for a failure.</summary>
    public static Diagnostic Of(Exception e, string path) => new("BML5003",
        $"A file could not be read or written: {e.Message} Check permissions and free space; the last good results are still in place.", new(path));

    /// <summary>Runs an operation; failures of the file system become diagnostics.</summary>
    /// <exception cref="DiagnosticException">BML5003.</exception>
    public static T Guard<T>(string path, Func<T> operation)
    {
        try
        {
            return operation();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException(Of(e, path));
        }
    }
}
