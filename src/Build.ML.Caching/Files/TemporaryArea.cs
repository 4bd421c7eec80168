namespace Build.ML.Caching.Files;

/// <summary>
/// A folder of temporary files for one process, marked by a lock file beside it that the process holds open. What dead processes left is deleted by the
/// next one: their lock files can be opened.
/// </summary>
public sealed class TemporaryArea : IDisposable
{
    private readonly FileStream _lock;

    /// <summary>Makes a new folder below <paramref name="root"/> and deletes those of dead processes.</summary>
    /// <param name="root">Full path; created when missing. Must be on the file system that the files are to be renamed into.</param>
    public TemporaryArea(string root)
    {
        Directory.CreateDirectory(root);
        foreach (var file in Directory.EnumerateFiles(root, "*.lock"))
        {
            DeleteIfDead(file);
        }

        _lock = Create(root);
        Folder = Path.ChangeExtension(_lock.Name, null);
        Directory.CreateDirectory(Folder);
    }

    /// <summary>Full path of the folder.</summary>
    public string Folder { get; }

    /// <summary>Full path for a new file or folder, which is not created.</summary>
    public string NewName() => Path.Combine(Directory.CreateDirectory(Folder).FullName, Path.GetRandomFileName());

    /// <summary>Deletes the folder with all it holds.</summary>
    public void Dispose()
    {
        ReadOnlyFile.DeleteFolder(Folder);
        var name = _lock.Name;
        _lock.Dispose();
        if (File.Exists(name)) // unless somebody cleaned up meanwhile
        {
            File.Delete(name);
        }
    }

    private static FileStream Create(string root)
    {
        while (true)
        {
            var file = Path.Combine(root, Path.GetFileNameWithoutExtension(Path.GetRandomFileName()) + ".lock");
            try
            {
                return new FileStream(file, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
            }
            catch (IOException e) when (FileLock.IsHeld(e))
            {
                // Another process took it for a dead one's between creating and locking, and deletes it: take another name.
            }
        }
    }

    private static void DeleteIfDead(string file)
    {
        try
        {
            using (new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 1))
            {
                ReadOnlyFile.DeleteFolder(Path.ChangeExtension(file, null));
                File.Delete(file);
            }
        }
        catch (IOException)
        {
            // Held by a living process, or deleted by another one meanwhile.
        }
    }
}
