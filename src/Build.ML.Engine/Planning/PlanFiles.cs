using System.Collections.Concurrent;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Recipes;

namespace Build.ML.Engine.Planning;

/// <summary>Content hashes of all that a plan reads, and the list of it.</summary>
internal sealed class PlanFiles(FileHashCache hashes, CancellationToken cancellation)
{
    private readonly ConcurrentDictionary<string, string> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PlanInput> _inputs = new(StringComparer.Ordinal);

    /// <summary>Everything hashed so far, in ordinal order of paths.</summary>
    public IReadOnlyList<PlanInput> Inputs => [.. _inputs.Values.OrderBy(i => i.Path, StringComparer.Ordinal)];

    /// <summary>Content hash of what a file reference means: a file, a folder with all below it, or the pinned hash of an <c>npm:</c> reference.</summary>
    public string HashOf(string reference) =>
        NpmReference.TryParse(reference, out var npm, out _) ? npm.Sha256
        : _known.GetOrAdd(reference, path => Directory.Exists(path) ? HashOfFolder(path) : HashOfFile(path));

    private string HashOfFile(string path)
    {
        var identity = FileIdentity.Of(path) ?? throw new FileNotFoundException($"{path} does not exist.", path);
        var hash = hashes.HashOf(path, cancellation);
        _inputs[path] = new(path, identity.Size, identity.ModifiedTicks, hash);
        return hash;
    }

    // Names below the folder are content: readers take labels and order from them.
    private string HashOfFolder(string folder)
    {
        var builder = new FingerprintBuilder();
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            builder.Add(Path.GetRelativePath(folder, file).Replace('\\', '/'), HashOfFile(file));
        }

        var hash = builder.Build().Hash;
        foreach (var path in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Append(folder))
        {
            _inputs[path] = new(path, PlanInput.FolderSize, Directory.GetLastWriteTimeUtc(path).Ticks, "");
        }

        return hash;
    }
}
