using Build.ML.Caching.Files;
using Build.ML.Caching.Stores;

namespace Build.ML.Caching.Checkpoints;

/// <summary>
/// Folders in which long work keeps what it needs to go on after it was killed, one a fingerprint: the same work finds its folder again, from any build of the user. A
/// folder is held by one process at a time; a lock file beside it says so.
/// </summary>
/// <param name="root">Full path; created when needed.</param>
/// <param name="time">Clock of ages.</param>
public sealed class CheckpointArea(string root, TimeProvider time)
{
    /// <summary>How long checkpoints that nobody comes back for are kept.</summary>
    public static TimeSpan MaximumAge { get; } = TimeSpan.FromDays(14);

    private const string Lock = ".lock";

    /// <summary>Waits until nobody holds the folder of a fingerprint, and holds it until disposal.</summary>
    /// <param name="fingerprint">64 lower-case hexadecimal digits.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public Checkpoint Hold(string fingerprint, CancellationToken cancellation)
    {
        Directory.CreateDirectory(root);
        var folder = Path.Combine(root, fingerprint);
        var held = new FileLock(folder + Lock).Exclude(cancellation);
        try
        {
            Directory.CreateDirectory(folder);
            Directory.SetLastWriteTimeUtc(folder, time.GetUtcNow().UtcDateTime);
            return new Checkpoint(folder, held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Counts the folders that hold something, and their bytes.</summary>
    public (int Count, long Bytes) Statistics()
    {
        var (count, bytes) = (0, 0L);
        foreach (var folder in Folders())
        {
            var size = SizeOf(folder);
            count += size > 0 ? 1 : 0;
            bytes += size;
        }

        return (count, bytes);
    }

    /// <summary>Deletes folders that nobody holds and nobody wrote to for a time.</summary>
    /// <param name="age">The time; zero deletes all that are not held.</param>
    /// <returns>How many folders with something in them were deleted, and their bytes.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML4002: one cannot be deleted.</exception>
    public CollectionOutcome Collect(TimeSpan age) => StoreErrors.Guard(root, () =>
    {
        var (count, bytes) = (0, 0L);
        var oldest = time.GetUtcNow().UtcDateTime - age;
        foreach (var file in Directory.Exists(root) ? Directory.GetFiles(root, "*" + Lock) : [])
        {
            var folder = new DirectoryInfo(Path.ChangeExtension(file, null));
            var used = folder.Exists ? folder.LastWriteTimeUtc : File.GetLastWriteTimeUtc(file);
            if (used > oldest || new FileLock(file).TryExclude() is not { } held)
            {
                continue;
            }

            using (held)
            {
                var size = SizeOf(folder);
                count += size > 0 ? 1 : 0;
                bytes += size;
                ReadOnlyFile.DeleteFolder(folder.FullName);
            }

            File.Delete(file);
        }

        return new CollectionOutcome(count, bytes);
    });

    private IEnumerable<DirectoryInfo> Folders() => Directory.Exists(root) ? new DirectoryInfo(root).EnumerateDirectories() : [];

    private static long SizeOf(DirectoryInfo folder) =>
        folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Exists ? f.Length : 0) : 0;
}

/// <summary>A folder of checkpoints, held until disposal.</summary>
public sealed class Checkpoint : IDisposable
{
    private readonly IDisposable _held;

    internal Checkpoint(string folder, IDisposable held) => (Folder, _held) = (folder, held);

    /// <summary>Full path; exists.</summary>
    public string Folder { get; }

    /// <summary>The work is done and its result is safe: the checkpoints are deleted.</summary>
    public void Complete() => ReadOnlyFile.DeleteFolder(Folder);

    /// <summary>Lets go of the folder; an empty one is deleted.</summary>
    public void Dispose()
    {
        if (Directory.Exists(Folder) && !Directory.EnumerateFileSystemEntries(Folder).Any())
        {
            Directory.Delete(Folder);
        }

        _held.Dispose();
    }
}
