namespace Build.ML.TestSupport;

/// <summary>A new empty folder, deleted with all it holds (read-only files too) when disposed.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>Creates the folder below the system's temporary folder.</summary>
    public TemporaryFolder() => FullPath = Directory.CreateTempSubdirectory("buildml-test-").FullName;

    /// <summary>Full path, without a trailing separator.</summary>
    public string FullPath { get; }

    /// <summary>Full path of a name inside; the folders above it are created, the file is not.</summary>
    public string PathOf(string relative)
    {
        var path = Path.Combine(FullPath, relative);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    /// <summary>Writes a text file (UTF-8, no byte order mark) and returns its full path.</summary>
    public string Write(string relative, string text)
    {
        var path = PathOf(relative);
        File.WriteAllText(path, text);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!Directory.Exists(FullPath))
            return;
        if (OperatingSystem.IsWindows()) // elsewhere a read-only file can be deleted
            foreach (var file in Directory.EnumerateFiles(FullPath, "*", SearchOption.AllDirectories))
                File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(FullPath, recursive: true);
    }
}
