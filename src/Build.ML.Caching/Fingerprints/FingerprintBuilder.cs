using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Build.ML.Caching.Fingerprints;

/// <summary>
/// Collects entries and hashes them. The hash does not depend on the order of adding: SHA-256 over the entries in ordinal order, description
/// and value each as UTF-8 with its length in front (8 bytes, little endian), so that no two sets of entries share an encoding.
/// </summary>
public sealed class FingerprintBuilder
{
    private readonly SortedDictionary<string, string> _entries = new(StringComparer.Ordinal);

    /// <summary>Adds an entry.</summary>
    /// <param name="description">See <see cref="FingerprintEntry.Description"/>.</param>
    /// <param name="value">Its value or the hash of its content; no path, time or machine name.</param>
    /// <exception cref="ArgumentException">There is one of that description already.</exception>
    public FingerprintBuilder Add(string description, string value)
    {
        _entries.Add(description, value);
        return this;
    }

    /// <summary>Adds entries.</summary>
    /// <exception cref="ArgumentException">A description is there already.</exception>
    public FingerprintBuilder Add(IEnumerable<FingerprintEntry> entries)
    {
        foreach (var entry in entries)
        {
            Add(entry.Description, entry.Value);
        }

        return this;
    }

    /// <summary>The fingerprint of all entries so far.</summary>
    public Fingerprint Build()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var entries = ImmutableArray.CreateBuilder<FingerprintEntry>(_entries.Count);
        foreach (var (description, value) in _entries)
        {
            Append(hash, description);
            Append(hash, value);
            entries.Add(new(description, value));
        }

        return new(Convert.ToHexStringLower(hash.GetHashAndReset()), entries.MoveToImmutable());
    }

    internal bool TryAdd(string description, string value) => _entries.TryAdd(description, value);

    private static void Append(IncrementalHash hash, string text)
    {
        Span<byte> length = stackalloc byte[8];
        var bytes = Encoding.UTF8.GetBytes(text);
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
