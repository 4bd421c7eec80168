using System.Collections.Immutable;

namespace Build.ML.Abstractions.Techniques;

/// <summary>
/// Keeps what was computed from a model and data, so that other steps and builds need not compute it again. Losing an entry costs time, never a result.
/// Safe for several threads.
/// </summary>
public interface IDerivedCache
{
    /// <summary>Opens what is kept under a key, to be read from the start; the caller disposes it. Null when there is nothing.</summary>
    Stream? TryOpen(DerivedKey key);

    /// <summary>Keeps something, replacing what was there; when writing throws, nothing is kept.</summary>
    /// <param name="key">All that decides the bytes.</param>
    /// <param name="write">Writes the bytes to a stream that can only be written forwards.</param>
    void Add(DerivedKey key, Action<Stream> write);

    /// <summary>
    /// Waits until nobody else holds a key, and holds it until disposal: whoever computes something holds its key (any that all who compute the same agree on) and looks again
    /// before computing, so that steps that run at the same time compute it once. Hold one at a time.
    /// </summary>
    IDisposable Hold(DerivedKey key);
}

/// <summary>
/// All that decides what something derived is, each entry with its description: contents (hashes) and parameters, no path, time or machine. What the engine
/// adds (runtime, technique's assembly) need not be in it.
/// </summary>
/// <param name="Kind">What it is, such as <c>activation statistic</c>.</param>
/// <param name="Entries">Description to value; descriptions are unique.</param>
public sealed record DerivedKey(string Kind, ImmutableSortedDictionary<string, string> Entries)
{
    /// <summary>A key of description and value pairs.</summary>
    /// <exception cref="ArgumentException">A description is given twice.</exception>
    public DerivedKey(string kind, params ReadOnlySpan<(string Description, string Value)> entries)
        : this(kind, Sorted(entries))
    {
    }

    /// <summary>The kind and all entries in ordinal order, for people.</summary>
    public override string ToString() => $"{Kind} ({string.Join(", ", Entries.Select(e => $"{e.Key} {e.Value}"))})";

    private static ImmutableSortedDictionary<string, string> Sorted(ReadOnlySpan<(string Description, string Value)> entries)
    {
        var sorted = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var (description, value) in entries)
        {
            sorted.Add(description, value);
        }

        return sorted.ToImmutable();
    }
}

/// <summary>Keeps nothing.</summary>
public sealed class NoDerivedCache : IDerivedCache
{
    private NoDerivedCache()
    {
    }

    /// <summary>The one there is.</summary>
    public static NoDerivedCache Instance { get; } = new();

    /// <inheritdoc/>
    public Stream? TryOpen(DerivedKey key) => null;

    /// <inheritdoc/>
    public void Add(DerivedKey key, Action<Stream> write)
    {
    }

    /// <inheritdoc/>
    public IDisposable Hold(DerivedKey key) => new Nothing();

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
