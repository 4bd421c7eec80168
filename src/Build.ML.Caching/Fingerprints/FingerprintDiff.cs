using System.Collections.Immutable;

namespace Build.ML.Caching.Fingerprints;

/// <summary>An entry that differs between two fingerprints.</summary>
/// <param name="Description">The entry.</param>
/// <param name="Before">Its value before; null when it was added.</param>
/// <param name="After">Its value now; null when it was removed.</param>
public sealed record FingerprintChange(string Description, string? Before, string? After)
{
    /// <summary>The change as a sentence; hashes shortened to 12 digits.</summary>
    public override string ToString() => (Before, After) switch
    {
        (null, { } now) => $"{Description}: added, now {Short(now)}",
        ({ } was, null) => $"{Description}: removed, was {Short(was)}",
        var (was, now) when IsHash(was!) && IsHash(now!) => $"{Description}: content changed ({Short(was!)} -> {Short(now!)})",
        var (was, now) => $"{Description}: changed from {Short(was!)} to {Short(now!)}",
    };

    private static bool IsHash(string value) => value.Length == 64 && value.All(char.IsAsciiHexDigitLower);

    private static string Short(string value) => IsHash(value) ? value[..12] : value.Length == 0 ? "empty" : value;
}

/// <summary>Says why two fingerprints differ.</summary>
public static class FingerprintDiff
{
    /// <summary>The entries that were added, removed or changed, in ordinal order of their descriptions; empty when the fingerprints are equal.</summary>
    public static ImmutableArray<FingerprintChange> Between(Fingerprint before, Fingerprint after)
    {
        var old = before.Entries.ToDictionary(e => e.Description, e => e.Value, StringComparer.Ordinal);
        var changes = ImmutableArray.CreateBuilder<FingerprintChange>();
        foreach (var (description, value) in after.Entries)
        {
            old.Remove(description, out var was);
            if (was != value)
            {
                changes.Add(new(description, was, value));
            }
        }

        changes.AddRange(old.Select(e => new FingerprintChange(e.Key, e.Value, null)));
        changes.Sort((a, b) => string.CompareOrdinal(a.Description, b.Description));
        return changes.ToImmutable();
    }
}
