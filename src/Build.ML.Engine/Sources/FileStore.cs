using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Options;

namespace Build.ML.Engine.Sources;

/// <summary>
/// Files by reference. What must be fetched is fetched once and kept in the cache under its hash: a second build, also of another project, asks no
/// registry.
/// </summary>
/// <param name="store">The cache.</param>
/// <param name="hashes">Remembered hashes.</param>
/// <param name="folder">Full path of the folder that fetched files are placed into.</param>
/// <param name="temporary">For files on their way.</param>
internal sealed class FileStore(IArtifactStore store, FileHashCache hashes, string folder, TemporaryArea temporary)
{
    private static readonly Catalog<IFileSource> Sources = Catalog<IFileSource>.Scan(typeof(IFileSource).Assembly);
    private readonly Lock _fetching = new();

    /// <summary>Full path of the file or folder that a reference means; fetches it if need be.</summary>
    /// <exception cref="DiagnosticException">It cannot be fetched, or has another content than the recipe says.</exception>
    public string Resolve(string reference, SourceLocation location, CancellationToken cancellation)
    {
        // A letter before a colon is a drive.
        var colon = reference.IndexOf(':', StringComparison.Ordinal);
        if (colon < 2 || Sources.Find(reference[..colon]) is not { } entry)
        {
            return reference;
        }

        var source = entry.Create();
        var (name, sha256) = source.Identify(reference);
        var target = Path.Combine(folder, sha256, name);
        lock (_fetching)
        {
            if (!IsGood(target, sha256, cancellation))
            {
                Place(source, reference, target, sha256, location, cancellation);
            }
        }

        return target;
    }

    /// <summary>Options whose files are all local.</summary>
    public object Localize(object options, SourceLocation location, CancellationToken cancellation) =>
        OptionWalk.MapFiles(options, file => new FileReference(Resolve(file.Path, location, cancellation)));

    private bool IsGood(string path, string sha256, CancellationToken cancellation) => File.Exists(path) && hashes.HashOf(path, cancellation) == sha256;

    private void Place(IFileSource source, string reference, string target, string sha256, SourceLocation location, CancellationToken cancellation)
    {
        var name = Path.GetFileName(target);
        var key = new FingerprintBuilder().Add("fetched file", sha256).Add("name", name).Build().Hash;
        var placed = Directory.CreateDirectory(temporary.NewName()).FullName;
        var scratch = Directory.CreateDirectory(temporary.NewName()).FullName;
        try
        {
            if (store.TryGet(key, placed, cancellation) is null)
            {
                source.Fetch(reference, Path.Combine(placed, name), scratch, location, cancellation);
                var actual = FileHash.Of(Path.Combine(placed, name), cancellation);
                if (actual != sha256)
                {
                    throw new DiagnosticException("BML5012",
                        $"{reference[..reference.IndexOf('#', StringComparison.Ordinal)]} has SHA-256 {actual}, the recipe says {sha256}. If the content is right, write its hash into the recipe.",
                        location);
                }

                store.Put(key, placed, [name], ImmutableDictionary<string, string>.Empty, cancellation);
            }

            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            ReadOnlyFile.MoveOver(Path.Combine(placed, name), target);
        }
        finally
        {
            ReadOnlyFile.DeleteFolder(placed);
            ReadOnlyFile.DeleteFolder(scratch);
        }
    }
}
