namespace Build.ML.Caching.Files;

/// <summary>Files that stored content shares, which nobody should write to.</summary>
public static class ReadOnlyFile
{
    /// <summary>Takes write permission from all.</summary>
    public static void Protect(string path) => File.SetAttributes(path, File.GetAttributes(path) | FileAttributes.ReadOnly);

    /// <summary>Deletes a file, read-only or not; nothing happens when there is none.</summary>
    public static void Delete(string path)
    {
        if (OperatingSystem.IsWindows() && File.Exists(path)) // elsewhere the folder's permission decides
        {
            File.SetAttributes(path, FileAttributes.Normal);
        }

        File.Delete(path);
    }

    /// <summary>Renames a file over another one, which may be read-only and is replaced at once.</summary>
    public static void MoveOver(string source, string target)
    {
        if (OperatingSystem.IsWindows() && File.Exists(target))
        {
            File.SetAttributes(target, FileAttributes.Normal);
        }

        File.Move(source, target, overwrite: true);
    }

    /// <summary>Deletes a folder with all it holds, read-only files too; nothing happens when there is none.</summary>
    public static void DeleteFolder(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
            {
                File.SetAttributes(file, FileAttributes.Normal);
            }
        }

        Directory.Delete(path, recursive: true);
    }
}
