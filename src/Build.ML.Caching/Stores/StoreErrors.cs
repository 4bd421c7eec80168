using Build.ML.Graph.Diagnostics;

namespace Build.ML.Caching.Stores;

/// <summary>What a store says when the file system does not do as told.</summary>
internal static class StoreErrors
{
    public static Diagnostic Damaged(string sha256) => new("BML4001",
        $"Content {sha256} in the cache was damaged and was dropped; what it stood for is made again. "
        + "Was an output that shares its content with the cache overwritten in place?", Severity: Severity.Warning);

    /// <summary>Runs an operation; failures of the file system become diagnostics.</summary>
    /// <exception cref="DiagnosticException">BML4002, BML4003.</exception>
    public static T Guard<T>(string path, Func<T> operation)
    {
        try
        {
            return operation();
        }
        catch (IOException e) when (IsFull(e))
        {
            throw new DiagnosticException("BML4003",
                $"The disk of the cache or of the build's folder is full ({e.Message}); nothing was left half-written. Free space, or lower the cache's limit "
                + "and run 'buildml cache gc'.", new(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("BML4002",
                $"The cache cannot be used: {e.Message} Check the folder's permissions, or name another folder as cache.", new(path));
        }
    }

    // ENOSPC is 28 on Linux and macOS, EDQUOT 122 and 69; ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL on Windows.
    private static bool IsFull(IOException e) => OperatingSystem.IsWindows()
        ? (e.HResult & 0xFFFF) is 112 or 39
        : e.HResult == 28 || e.HResult == (OperatingSystem.IsMacOS() ? 69 : 122);
}
