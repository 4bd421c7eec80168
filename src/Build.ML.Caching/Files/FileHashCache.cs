using System.Collections.Concurrent;
using System.Globalization;

namespace Build.ML.Caching.Files;

/// <summary>
/// Hashes of files, remembered with the files' identity so that an unchanged file is not read again. As git does with its index, a record is
/// trusted only when the file was last changed clearly before it was hashed ("racily clean" files are read again): a write within the clock's
/// grain after hashing would leave no trace. Thread-safe; several processes may share the record, which only ever costs reading a file again.
/// </summary>
public sealed class FileHashCache : IDisposable
{
    // Coarsest time stamp of a file system in use: FAT, 2 s.
    private static readonly long Grain = TimeSpan.FromSeconds(2).Ticks;

    private readonly string? _file;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Record> _records = new(StringComparer.Ordinal);
    private bool _changed;

    /// <summary>Opens the record.</summary>
    /// <param name="file">Full path of the record, created on disposal; null keeps it in memory. A damaged or missing one counts as empty.</param>
    /// <param name="time">Clock; default the system's.</param>
    public FileHashCache(string? file = null, TimeProvider? time = null)
    {
        _file = file;
        _time = time ?? TimeProvider.System;
        Read(_records);
    }

    /// <summary>Number of files read so far because there was no record to trust.</summary>
    public int FilesRead => _filesRead;

    private int _filesRead;

    /// <summary>SHA-256 of a file's content, 64 lower-case hexadecimal digits.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="cancellation">Stops reading.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public string HashOf(string path, CancellationToken cancellation = default)
    {
        var identity = FileIdentity.Of(path) ?? throw new FileNotFoundException($"{path} does not exist.", path);
        if (_records.TryGetValue(path, out var known) && known.Identity == identity && IsSafe(known))
        {
            return known.Sha256;
        }

        var begun = _time.GetUtcNow().UtcTicks;
        var hash = FileHash.Of(path, cancellation);
        Interlocked.Increment(ref _filesRead);
        // Written to while being read: the hash may be of neither content. Not recorded; the next call reads again.
        if (FileIdentity.Of(path) == identity)
        {
            _records[path] = new(identity, begun, hash);
            _changed = true;
        }

        return hash;
    }

    /// <summary>Writes the record when it has changed, merged with what other processes wrote meanwhile.</summary>
    /// <exception cref="IOException">The record cannot be written.</exception>
    public void Save()
    {
        if (_file is null || !_changed)
        {
            return;
        }

        var all = new ConcurrentDictionary<string, Record>(StringComparer.Ordinal);
        Read(all);
        foreach (var (path, record) in _records)
        {
            all[path] = record;
        }

        DurableFile.Write(_file, string.Concat(all.Where(r => File.Exists(r.Key)).OrderBy(r => r.Key, StringComparer.Ordinal)
            .Select(r => string.Create(CultureInfo.InvariantCulture,
                $"{r.Value.Sha256} {r.Value.HashedTicks} {r.Value.Identity.Size} {r.Value.Identity.ModifiedTicks} {r.Value.Identity.ChangedTicks} {r.Value.Identity.Node} {r.Key}\n"))));
        _changed = false;
    }

    /// <summary>Saves where that is possible: the record only saves time, so that nothing depends on it.</summary>
    /// <returns>Whether the record is on disk now.</returns>
    public bool TrySave()
    {
        try
        {
            Save();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Saves where that is possible.</summary>
    public void Dispose() => TrySave();

    private static bool IsSafe(Record record) =>
        Math.Max(record.Identity.ModifiedTicks, record.Identity.ChangedTicks) + Grain < record.HashedTicks;

    private void Read(ConcurrentDictionary<string, Record> records)
    {
        if (_file is null || !File.Exists(_file))
        {
            return;
        }

        foreach (var line in File.ReadLines(_file))
        {
            var parts = line.Split(' ', 7);
            if (parts.Length == 7 && parts[0].Length == 64
                && long.TryParse(parts[1], CultureInfo.InvariantCulture, out var hashed)
                && long.TryParse(parts[2], CultureInfo.InvariantCulture, out var size)
                && long.TryParse(parts[3], CultureInfo.InvariantCulture, out var modified)
                && long.TryParse(parts[4], CultureInfo.InvariantCulture, out var changed)
                && ulong.TryParse(parts[5], CultureInfo.InvariantCulture, out var node))
            {
                records[parts[6]] = new(new(size, modified, changed, node), hashed, parts[0]);
            }
        }
    }

    private sealed record Record(FileIdentity Identity, long HashedTicks, string Sha256);
}
