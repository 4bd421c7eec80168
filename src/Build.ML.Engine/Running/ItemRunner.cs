using System.Collections.Immutable;
using Build.ML.Caching.Checkpoints;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;
using Build.ML.Engine.Sources;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Running;

/// <summary>
/// Does one item: nothing when its directory holds the result, else from the cache, else by running it. The directory is filled elsewhere and swapped in as
/// a whole; a failure leaves what was there.
/// </summary>
internal sealed class ItemRunner(EngineServices services, TimeProvider time, FileHashCache hashes, TemporaryArea temporary, FileStore files, CheckpointArea checkpoints, CoreBudget budget)
{
    public ItemOutcome Run(Plan plan, WorkItem item, IBuildObserver observer, CancellationToken cancellation)
    {
        var watch = new ItemWatch(item, observer, time);
        try
        {
            cancellation.ThrowIfCancellationRequested();
            Directory.CreateDirectory(Path.GetDirectoryName(item.Directory)!);
            // Another build in the same folder may be at the same item: the second one finds it done.
            using var held = new FileLock(item.Directory + ".lock").Exclude(cancellation);
            return watch.End(Run(plan, item, observer, watch, cancellation));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return watch.End(ItemStatus.Cancelled);
        }
        catch (DiagnosticException e)
        {
            foreach (var diagnostic in e.Diagnostics)
            {
                watch.Report(diagnostic);
            }

            return watch.End(ItemStatus.Failed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            watch.Report(FileErrors.Of(e, item.Directory));
            return watch.End(ItemStatus.Failed);
        }
    }

    /// <summary>The fingerprint of an item as things are; null when something it needs is not done.</summary>
    public static Fingerprint? FingerprintOf(Plan plan, WorkItem item)
    {
        if (item.Needs.Any(n => ItemStamps.ContentOf(plan[n]) is null))
        {
            return null;
        }

        return new FingerprintBuilder().Add(item.Definition.Entries)
            .Add(item.Work.Inputs(name => ItemStamps.ContentOf(plan[$"{item.Recipe}/{name}"])!)).Build();
    }

    private ItemStatus Run(Plan plan, WorkItem item, IBuildObserver observer, ItemWatch watch, CancellationToken cancellation)
    {
        var fingerprint = FingerprintOf(plan, item) ?? throw new DiagnosticException("BML5002",
            $"{item.Id} needs {string.Join(", ", item.Needs.Where(n => ItemStamps.ContentOf(plan[n]) is null))}, which is not done; run that first.");
        var output = Directory.CreateDirectory(temporary.NewName()).FullName;
        var scratch = Directory.CreateDirectory(temporary.NewName()).FullName;
        try
        {
            var context = new ItemContext
            {
                Item = item,
                Plan = plan,
                Services = services,
                Files = files,
                Output = output,
                Scratch = scratch,
                CheckpointArea = checkpoints,
                Threads = 1,
                Report = watch.Report,
                Text = watch.Text,
                Progress = watch,
                Cancellation = cancellation,
            };
            if (ItemRecord.Read(item.Directory) is { } present && present.Fingerprint == fingerprint.Hash && present.IsIntact(item.Directory, hashes, cancellation))
            {
                ItemStamps.Write(item, plan, present.Content);
                item.Work.Replay(context);
                return ItemStatus.UpToDate;
            }

            observer.ItemStarted(item);
            var stored = FromStore(context, fingerprint);
            var status = stored is null ? ItemStatus.Ran : ItemStatus.FromCache;
            if (stored is null && item.Work.KeepsCheckpoints)
            {
                // Another build may be at the same: the second one waits and finds it done.
                using var checkpoint = checkpoints.Hold(fingerprint.Hash, cancellation);
                stored = FromStore(context, fingerprint);
                status = stored is null ? ItemStatus.Ran : ItemStatus.FromCache;
                stored ??= Execute(context with { Checkpoints = checkpoint.Folder }, fingerprint, watch);
                checkpoint.Complete();
            }

            stored ??= Execute(context, fingerprint, watch);
            Place(context, plan, new ItemRecord(fingerprint.Hash, ContentOf(item.Work, stored.Files), stored.Files));
            return status;
        }
        finally
        {
            ReadOnlyFile.DeleteFolder(output);
            ReadOnlyFile.DeleteFolder(scratch);
        }
    }

    private StoredArtifact? FromStore(ItemContext context, Fingerprint fingerprint) =>
        context.Item.Work.IsCached ? services.Store.TryGet(fingerprint.Hash, context.Output, context.Cancellation) : null;

    private StoredArtifact Execute(ItemContext context, Fingerprint fingerprint, ItemWatch watch)
    {
        var item = context.Item;
        using (var cores = budget.Take(Math.Max(1, budget.Cores / context.Plan.WidthAt(item)), item.Work.RunsAlone(services), context.Cancellation))
        {
            watch.Restart();
            item.Work.Execute(context with { Threads = cores.Cores });
        }

        context.Cancellation.ThrowIfCancellationRequested();
        File.WriteAllText(Path.Combine(context.Output, ItemRecord.FingerprintFile), fingerprint.ToText());
        if (!item.Work.IsCached)
        {
            return new(Hashed(context), ImmutableSortedDictionary<string, string>.Empty);
        }

        File.WriteAllText(Path.Combine(context.Output, "log.txt"), watch.Log);
        var names = Names(context.Output);
        try
        {
            return services.Store.Put(fingerprint.Hash, context.Output, names, ImmutableDictionary<string, string>.Empty, context.Cancellation);
        }
        catch (DiagnosticException e)
        {
            // The result is good; only the next build cannot have it from the cache.
            foreach (var diagnostic in e.Diagnostics)
            {
                watch.Report(diagnostic with { Severity = Severity.Warning });
            }

            return new(Hashed(context), ImmutableSortedDictionary<string, string>.Empty);
        }
    }

    private static void Place(ItemContext context, Plan plan, ItemRecord record)
    {
        var item = context.Item;
        record.Write(context.Output);
        File.Delete(item.StampFile);
        var old = context.Scratch + ".old";
        if (Directory.Exists(item.Directory))
        {
            Directory.Move(item.Directory, old);
        }

        Directory.Move(context.Output, item.Directory);
        ReadOnlyFile.DeleteFolder(old);
        ItemStamps.Write(item, plan, record.Content);
    }

    private static string ContentOf(ItemWork work, ImmutableArray<StoredFile> files)
    {
        var builder = new FingerprintBuilder();
        foreach (var file in files.Where(f => f.Name != ItemRecord.FingerprintFile && work.IsContent(f.Name)))
        {
            builder.Add(file.Name, file.Sha256);
        }

        return builder.Build().Hash;
    }

    private static ImmutableArray<StoredFile> Hashed(ItemContext context) => [.. Names(context.Output).Select(name =>
    {
        var path = Path.Combine(context.Output, name);
        return new StoredFile(name, new FileInfo(path).Length, FileHash.Of(path, context.Cancellation));
    })];

    private static string[] Names(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f).Replace('\\', '/')).Order(StringComparer.Ordinal)];
}
