namespace Build.ML.Caching.Stores;

/// <summary>
/// A lock file between processes: many may write artifacts, but none while one collects. The system lets go of the lock when its process ends,
/// however that happens.
/// </summary>
internal sealed class StoreLock(string file)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Held while an artifact is written or placed.</summary>
    public FileStream Share(CancellationToken cancellation) => Wait(FileAccess.Read, FileShare.Read, cancellation);

    /// <summary>Held while artifacts are dropped.</summary>
    public FileStream Exclude(CancellationToken cancellation) => Wait(FileAccess.ReadWrite, FileShare.None, cancellation);

    private FileStream Wait(FileAccess access, FileShare share, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, access, share, bufferSize: 1);
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
