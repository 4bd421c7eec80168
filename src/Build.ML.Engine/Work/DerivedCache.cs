using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Checkpoints;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Work;

/// <summary>
/// Keeps what techniques derive in the artifact store, among the results of steps: verified when read, dropped when not used for long. A store that cannot be
/// used costs time only, and a warning.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="locks">Where keys are held, among the checkpoints.</param>
/// <param name="scope">What decides results besides a key's entries: engine, runtime, the technique's assembly.</param>
/// <param name="scratch">An existing folder, deleted when nothing that was opened is read any more.</param>
/// <param name="report">Receives warnings.</param>
/// <param name="cancellation">Stops.</param>
internal sealed class DerivedCache(
    IArtifactStore store, CheckpointArea locks, IReadOnlyList<FingerprintEntry> scope, string scratch, Action<Diagnostic> report, CancellationToken cancellation) : IDerivedCache
{
    private const string FileName = "derived";

    public Stream? TryOpen(DerivedKey key)
    {
        var folder = NewFolder();
        try
        {
            if (store.TryGet(FingerprintOf(key).Hash, folder, cancellation) is not null)
            {
                return new FileStream(Path.Combine(folder, FileName), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            }
        }
        catch (DiagnosticException e)
        {
            Warn(e);
        }

        ReadOnlyFile.DeleteFolder(folder);
        return null;
    }

    public void Add(DerivedKey key, Action<Stream> write)
    {
        var folder = NewFolder();
        try
        {
            using (var stream = new FileStream(Path.Combine(folder, FileName), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
            }

            // The record keeps what the content is, for people.
            var fingerprint = FingerprintOf(key);
            store.Put(fingerprint.Hash, folder, [FileName], fingerprint.Entries.ToImmutableDictionary(e => e.Description, e => e.Value), cancellation);
        }
        catch (DiagnosticException e) when (e.Diagnostics.All(d => d.Code is "BML4002" or "BML4003"))
        {
            Warn(e);
        }
        finally
        {
            ReadOnlyFile.DeleteFolder(folder);
        }
    }

    public IDisposable Hold(DerivedKey key) => locks.Hold(FingerprintOf(key).Hash, cancellation);

    private Fingerprint FingerprintOf(DerivedKey key) => new FingerprintBuilder()
        .Add("derived", key.Kind)
        .Add(scope)
        .Add(key.Entries.Select(e => new FingerprintEntry("derived from " + e.Key, e.Value)))
        .Build();

    private string NewFolder() => Directory.CreateDirectory(Path.Combine(scratch, "derived-" + Path.GetRandomFileName())).FullName;

    private void Warn(DiagnosticException error)
    {
        foreach (var diagnostic in error.Diagnostics)
        {
            report(diagnostic with { Severity = Severity.Warning });
        }
    }
}
