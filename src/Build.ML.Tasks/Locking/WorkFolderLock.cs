namespace Build.ML.Tasks.Locking;

/// <summary>
/// Exclusive use of a work folder among builds: an open file that nobody else may open. The operating system ends it with the process,
/// however that dies.
/// </summary>
public sealed class WorkFolderLock : IDisposable
{
    /// <summary>Name of the lock's file in the work folder.</summary>
    public const string FileName = ".lock";

    readonly FileStream file;

    WorkFolderLock(FileStream file) => this.file = file;

    /// <summary>The key under which a build keeps the lock of a folder.</summary>
    public static string KeyOf(string workPath) => "Build.ML.Lock|" + workPath;

    /// <summary>Takes the lock where it is free, else returns null at once.</summary>
    public static WorkFolderLock? TryTake(string workPath)
    {
        Directory.CreateDirectory(workPath);
        try
        {
            return new WorkFolderLock(new FileStream(
                Path.Combine(workPath, FileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1));
        }
        catch (IOException)
        {
            return null; // somebody else has it open
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
