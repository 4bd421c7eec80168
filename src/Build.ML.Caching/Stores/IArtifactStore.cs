using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Caching.Stores;

/// <summary>A file of a stored artifact.</summary>
/// <param name="Name">Path relative to the artifact's folder, with forward slashes.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Hash of the content, 64 lower-case hexadecimal digits.</param>
public sealed record StoredFile(string Name, long Size, string Sha256);

/// <summary>What a store holds under a fingerprint.</summary>
/// <param name="Files">In ordinal order of their names.</param>
/// <param name="Facts">Short texts kept with the files.</param>
public sealed record StoredArtifact(ImmutableArray<StoredFile> Files, ImmutableSortedDictionary<string, string> Facts);

/// <summary>How full a store is.</summary>
/// <param name="Artifacts">Number of fingerprints.</param>
/// <param name="Contents">Number of different file contents.</param>
/// <param name="Bytes">Bytes of all contents.</param>
/// <param name="UnreferencedBytes">Bytes of contents that no fingerprint leads to; the next collection drops them.</param>
public sealed record StoreStatistics(int Artifacts, int Contents, long Bytes, long UnreferencedBytes);

/// <summary>What a collection dropped.</summary>
/// <param name="Artifacts">Number of fingerprints.</param>
/// <param name="Bytes">Bytes of contents.</param>
public sealed record CollectionOutcome(int Artifacts, long Bytes);

/// <summary>
/// Keeps the files that a fingerprint led to. Safe for several threads and processes at once, and for processes killed at any moment: an artifact
/// is there whole or not at all, and nothing but what was put in is ever handed out.
/// </summary>
public interface IArtifactStore : IDisposable
{
    /// <summary>Places the files of an artifact into a folder, by clone, hard link (then read-only) or copy, and notes that it was used.</summary>
    /// <param name="fingerprint">64 lower-case hexadecimal digits.</param>
    /// <param name="directory">Full path of an existing folder that has none of the files.</param>
    /// <param name="cancellation">Stops; the folder then holds some of the files.</param>
    /// <returns>Null when the store does not have it, or had it damaged; the folder is as before then.</returns>
    /// <exception cref="DiagnosticException">BML4002, BML4003: the folder cannot be written to.</exception>
    StoredArtifact? TryGet(string fingerprint, string directory, CancellationToken cancellation = default);

    /// <summary>Keeps files under a fingerprint; replaces what was there. The files may become read-only, sharing their content with the store.</summary>
    /// <param name="fingerprint">64 lower-case hexadecimal digits.</param>
    /// <param name="directory">Full path of the folder of the files.</param>
    /// <param name="files">Paths relative to <paramref name="directory"/>.</param>
    /// <param name="facts">Short texts to keep.</param>
    /// <param name="cancellation">Stops; the store is as before.</param>
    /// <returns>What was stored.</returns>
    /// <exception cref="DiagnosticException">BML4002, BML4003: the store cannot be written to, or the disk is full; it is as before.</exception>
    StoredArtifact Put(
        string fingerprint, string directory, IReadOnlyCollection<string> files, IReadOnlyDictionary<string, string> facts,
        CancellationToken cancellation = default);

    /// <summary>Counts what is there.</summary>
    StoreStatistics Statistics();

    /// <summary>Drops the least recently used artifacts until the rest fits, then contents that nothing leads to.</summary>
    /// <param name="limit">Bytes that may stay.</param>
    CollectionOutcome Collect(long limit);

    /// <summary>Reads everything and drops what is damaged.</summary>
    /// <param name="cancellation">Stops between files.</param>
    /// <returns>One warning (BML4001, BML4004) for each thing dropped.</returns>
    IReadOnlyList<Diagnostic> Verify(CancellationToken cancellation = default);
}
