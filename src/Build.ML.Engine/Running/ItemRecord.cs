using System.Collections.Immutable;
using System.Text.Json;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;

namespace Build.ML.Engine.Running;

/// <summary>What an item's directory holds: <c>item.json</c> in it.</summary>
/// <param name="Fingerprint">Hash of the fingerprint that led to it.</param>
/// <param name="Content">Hash of what other items read of it.</param>
/// <param name="Files">All its files but this record.</param>
internal sealed record ItemRecord(string Fingerprint, string Content, ImmutableArray<StoredFile> Files)
{
    public const string FileName = "item.json";
    public const string FingerprintFile = "fingerprint.txt";

    /// <summary>The record of a directory; null when there is none or it is damaged.</summary>
    public static ItemRecord? Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            return File.Exists(path) ? EngineJson.Read<ItemRecord>(File.ReadAllText(path)) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return null;
        }
    }

    public void Write(string directory) => File.WriteAllText(Path.Combine(directory, FileName), EngineJson.Write(this));

    /// <summary>The fingerprint that led to a directory's files, with its entries.</summary>
    public static Fingerprint FingerprintIn(string directory) => TryFingerprintIn(directory)
        ?? throw new InvalidDataException($"{Path.Combine(directory, FingerprintFile)} is missing or damaged.");

    /// <summary>The same; null when it is missing or damaged.</summary>
    public static Fingerprint? TryFingerprintIn(string directory)
    {
        var path = Path.Combine(directory, FingerprintFile);
        return File.Exists(path) ? Caching.Fingerprints.Fingerprint.Parse(File.ReadAllText(path)) : null;
    }

    /// <summary>Whether all files are there with the content recorded.</summary>
    public bool IsIntact(string directory, FileHashCache hashes, CancellationToken cancellation)
    {
        foreach (var file in Files)
        {
            var path = Path.Combine(directory, file.Name);
            if (new FileInfo(path) is not { Exists: true } info || info.Length != file.Size || hashes.HashOf(path, cancellation) != file.Sha256)
            {
                return false;
            }
        }

        return true;
    }
}
