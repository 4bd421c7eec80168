namespace Build.ML.Caching.Files;

/// <summary>
/// A lock file between processes and threads: shared by many or held by one. The system lets go of the lock when its process ends,
/// however that happens.
/// </summary>
/// <param name="file">Full path; created when missing, and left there.</param>
public sealed class FileLock(string file)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits until nobody holds the lock alone, and shares it until disposal.</summary>
    public IDisposable Share(CancellationToken cancellation) => Wait(FileAccess.Read, FileShare.Read, cancellation);

    /// <summary>Waits until nobody holds the lock, and holds it alone until disposal.</summary>
    public IDisposable Exclude(CancellationToken cancellation) => Wait(FileAccess.ReadWrite, FileShare.None, cancellation);

    /// <summary>Holds the lock alone until disposal if nobody holds it now; else null.</summary>
    public IDisposable? TryExclude()
    {
        try
        {
            return Open(FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (IsHeld(e))
        {
            return null;
        }
    }

    private FileStream Open(FileAccess access, FileShare share) => new(file, FileMode.OpenOrCreate, access, share, bufferSize: 1);

    private FileStream Wait(FileAccess access, FileShare share, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return Open(access, share);
            }
            catch (DirectoryNotFoundException)
            {
                // Somebody cleaned up meanwhile.
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            }
            catch (IOException e) when (IsHeld(e))
            {
                cancellation.WaitHandle.WaitOne(Pause);
            }
        }
    }

    // Sharing violation: ERROR_SHARING_VIOLATION on Windows, EWOULDBLOCK (11 on Linux, 35 on macOS) of flock elsewhere.
    internal static bool IsHeld(IOException e) => (e.HResult & 0xFFFF) is 32 && OperatingSystem.IsWindows()
        || (!OperatingSystem.IsWindows() && e.HResult is 11 or 35);
}
