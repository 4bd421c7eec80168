using System.Collections.Concurrent;
using System.Collections.Immutable;
using Build.ML.Caching.Files;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Caching.Stores;

/// <summary>Opens stores in a folder of this machine.</summary>
[CacheStore("local")]
public sealed class LocalCacheStore : ICacheStore
{
    /// <inheritdoc/>
    public IArtifactStore Open(StoreOptions options) => StoreErrors.Guard(options.Path, () => new LocalStore(options));
}

/// <summary>
/// A store in a folder: <c>cas/ab/sha256</c> holds contents (read-only), <c>ac/ab/fingerprint</c> the <see cref="ActionRecord"/> that names them, its write
/// time the time of last use. A record is renamed into place after its contents are on disk, so that it never leads to less than everything.
/// Contents are hashed before they are handed out, once a process while size, write time and file number stay.
/// </summary>
internal sealed class LocalStore : IArtifactStore
{
    // Within the grain of file times (2 s at worst) a write leaves no trace: younger files are hashed again.
    private static readonly long Grain = TimeSpan.FromSeconds(2).Ticks;

    private readonly StoreOptions _options;
    private readonly StoreFolder _folder;
    private readonly FileLock _lock;
    private readonly Lazy<TemporaryArea> _temporary;
    private readonly ConcurrentDictionary<string, FileIdentity> _verified = new(StringComparer.Ordinal);

    public LocalStore(StoreOptions options)
    {
        _options = options;
        _folder = new StoreFolder(Path.Combine(options.Path, "v1"));
        Directory.CreateDirectory(_folder.Root);
        _lock = new FileLock(Path.Combine(_folder.Root, "lock"));
        _temporary = new(() => new TemporaryArea(Path.Combine(_folder.Root, "tmp")));
    }

    public StoredArtifact? TryGet(string fingerprint, string directory, CancellationToken cancellation = default) =>
        StoreErrors.Guard(_options.Path, () =>
        {
            using var held = _lock.Share(cancellation);
            var record = _folder.RecordOf(fingerprint);
            if (!File.Exists(record))
            {
                return null;
            }

            if (ActionRecord.Read(File.ReadAllText(record)) is not { } artifact)
            {
                Drop(record, "BML4004", $"The cache's record {fingerprint} is damaged and was dropped; what it stood for is made again.");
                return null;
            }

            var placed = new List<string>();
            foreach (var file in artifact.Files)
            {
                var target = Path.Combine(directory, file.Name);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                if (!TryPlace(file, target, cancellation))
                {
                    placed.ForEach(ReadOnlyFile.Delete);
                    File.Delete(record);
                    return null;
                }

                placed.Add(target);
            }

            Touch(record);
            return artifact;
        });

    public StoredArtifact Put(
        string fingerprint, string directory, IReadOnlyCollection<string> files, IReadOnlyDictionary<string, string> facts,
        CancellationToken cancellation = default)
    {
        if (files.FirstOrDefault(f => !ActionRecord.IsInside(f)) is { } outside)
        {
            throw new ArgumentException($"'{outside}' is no path below the artifact's folder with forward slashes.", nameof(files));
        }

        return StoreErrors.Guard(_options.Path, () =>
        {
            using var held = _lock.Share(cancellation);
            var stored = files.Order(StringComparer.Ordinal).Select(name => Ingest(name, Path.Combine(directory, name), cancellation)).ToImmutableArray();
            var artifact = new StoredArtifact(stored, facts.ToImmutableSortedDictionary(StringComparer.Ordinal));
            var record = _folder.RecordOf(fingerprint);
            DurableFile.Write(record, ActionRecord.Write(artifact), _temporary.Value.NewName());
            Touch(record);
            return artifact;
        });
    }

    public StoreStatistics Statistics() => StoreErrors.Guard(_options.Path, () =>
    {
        using var held = _lock.Share(CancellationToken.None);
        var referenced = _folder.Records().Select(Read).OfType<StoredArtifact>().SelectMany(a => a.Files).Select(f => f.Sha256).ToHashSet();
        var contents = _folder.Contents().ToList();
        return new StoreStatistics(_folder.Records().Count(), contents.Count, contents.Sum(c => c.Length),
            contents.Where(c => !referenced.Contains(c.Name)).Sum(c => c.Length));
    });

    public CollectionOutcome Collect(long limit) => StoreErrors.Guard(_options.Path, () =>
    {
        using var held = _lock.Exclude(CancellationToken.None);
        var kept = new HashSet<string>(StringComparer.Ordinal);
        long bytes = 0, freed = 0;
        var dropped = 0;
        foreach (var record in _folder.Records().OrderByDescending(r => r.LastWriteTimeUtc).ThenBy(r => r.Name, StringComparer.Ordinal))
        {
            var files = Read(record)?.Files.DistinctBy(f => f.Sha256).Where(f => !kept.Contains(f.Sha256)).ToList();
            if (files is null || bytes + files.Sum(f => f.Size) > limit)
            {
                record.Delete();
                dropped++;
                continue;
            }

            bytes += files.Sum(f => f.Size);
            kept.UnionWith(files.Select(f => f.Sha256));
        }

        foreach (var content in _folder.Contents().Where(c => !kept.Contains(c.Name)).ToList())
        {
            freed += content.Length;
            ReadOnlyFile.Delete(content.FullName);
        }

        return new CollectionOutcome(dropped, freed);
    });

    public IReadOnlyList<Diagnostic> Verify(CancellationToken cancellation = default) => StoreErrors.Guard(_options.Path, () =>
    {
        using var held = _lock.Share(cancellation);
        var found = new ConcurrentQueue<Diagnostic>();
        Parallel.ForEach(_folder.Contents(), new ParallelOptions { CancellationToken = cancellation }, content =>
        {
            if (FileHash.Of(content.FullName, cancellation) != content.Name)
            {
                ReadOnlyFile.Delete(content.FullName);
                found.Enqueue(StoreErrors.Damaged(content.Name));
            }
        });
        foreach (var record in _folder.Records().ToList())
        {
            if (Read(record) is not { } artifact)
            {
                record.Delete();
                found.Enqueue(new("BML4004", $"The cache's record {record.Name} was damaged and was dropped.", Severity: Severity.Warning));
            }
            else if (artifact.Files.FirstOrDefault(f => !File.Exists(_folder.ContentOf(f.Sha256))) is { } missing)
            {
                record.Delete();
                found.Enqueue(new("BML4004", $"The cache's record {record.Name} led to content {missing.Sha256} that is gone; it was dropped.",
                    Severity: Severity.Warning));
            }
        }

        return found.OrderBy(d => d.Message, StringComparer.Ordinal).ToList();
    });

    public void Dispose()
    {
        if (_temporary.IsValueCreated)
        {
            _temporary.Value.Dispose();
        }
    }

    private static StoredArtifact? Read(FileInfo record) => ActionRecord.Read(File.ReadAllText(record.FullName));

    private bool TryPlace(StoredFile file, string target, CancellationToken cancellation)
    {
        var content = _folder.ContentOf(file.Sha256);
        if (FileIdentity.Of(content) is not { } identity)
        {
            return false;
        }

        if (identity.Size == file.Size)
        {
            var how = FileSharing.TryShare(content, target);
            var hash = how is null ? FileHash.Copy(content, target, cancellation)
                : IsVerified(file.Sha256, identity) ? file.Sha256
                : FileHash.Of(target, cancellation);
            if (hash == file.Sha256)
            {
                if (how == SharingMethod.HardLink)
                {
                    ReadOnlyFile.Protect(target);
                }

                RememberVerified(file.Sha256, identity);
                return true;
            }

            ReadOnlyFile.Delete(target);
        }

        ReadOnlyFile.Delete(content);
        _options.Report(StoreErrors.Damaged(file.Sha256));
        return false;
    }

    private StoredFile Ingest(string name, string source, CancellationToken cancellation)
    {
        var temporary = _temporary.Value.NewName();
        try
        {
            return Ingest(name, source, temporary, cancellation);
        }
        finally
        {
            ReadOnlyFile.Delete(temporary); // still there after a failure, when the content was known, or when both were one file
        }
    }

    private StoredFile Ingest(string name, string source, string temporary, CancellationToken cancellation)
    {
        string hash;
        if (FileSharing.TryShare(source, temporary) is null)
        {
            hash = FileHash.Copy(source, temporary, cancellation);
            DurableFile.Flush(temporary);
            ReadOnlyFile.Protect(temporary);
        }
        else
        {
            DurableFile.Flush(temporary);
            ReadOnlyFile.Protect(temporary); // before hashing: nobody writes to it any more
            hash = FileHash.Of(temporary, cancellation);
        }

        var identity = FileIdentity.Of(temporary)!.Value;
        var content = _folder.ContentOf(hash);
        // What is there already may have been damaged since it was looked at, so it is replaced unless known to be good.
        if (FileIdentity.Of(content) is not { } present || !IsVerified(hash, present))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(content)!);
            ReadOnlyFile.MoveOver(temporary, content);
            DurableFile.FlushFolder(Path.GetDirectoryName(content)!);
            RememberVerified(hash, identity);
        }

        return new(name, identity.Size, hash);
    }

    // Giving a file another name changes its ctime, which therefore says nothing here.
    private bool IsVerified(string sha256, FileIdentity identity) =>
        _verified.TryGetValue(sha256, out var known) && known == identity with { ChangedTicks = 0 };

    private void RememberVerified(string sha256, FileIdentity identity)
    {
        if (identity.ModifiedTicks + Grain < _options.TimeProvider.GetUtcNow().UtcTicks)
        {
            _verified[sha256] = identity with { ChangedTicks = 0 };
        }
    }

    private void Touch(string record)
    {
        try
        {
            File.SetLastWriteTimeUtc(record, _options.TimeProvider.GetUtcNow().UtcDateTime);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A store that may only be read: the time of use decides nothing but the order of collection.
        }
    }

    private void Drop(string record, string code, string message)
    {
        File.Delete(record);
        _options.Report(new(code, message, new(record), Severity.Warning));
    }
}
