namespace Build.ML.Benchmarks.Frame;

/// <summary>The baseline of everything that reads and writes a large file.</summary>
public static class FileCopy
{
    /// <summary>How <see cref="Run"/> copies here.</summary>
    public static string Name => HasCp ? "cp" : "copy";

    private static bool HasCp => !OperatingSystem.IsWindows() && ChildProcess.Exists("cp");

    /// <summary>Copies a file with <c>cp</c>, where there is none with plain reads and writes; the target must not exist.</summary>
    /// <param name="source">File to copy.</param>
    /// <param name="target">New file.</param>
    public static void Run(string source, string target)
    {
        if (HasCp)
        {
            // Without --reflink=never a file system that shares blocks would copy nothing.
            ChildProcess.Run("cp", OperatingSystem.IsLinux() ? ["--reflink=never", source, target] : [source, target]);
            return;
        }

        using var from = File.OpenRead(source);
        using var to = new FileStream(target, FileMode.CreateNew);
        from.CopyTo(to, 1 << 20);
    }
}
