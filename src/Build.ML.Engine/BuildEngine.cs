using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Checkpoints;
using Build.ML.Caching.Files;
using Build.ML.Caching.Stores;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Planning;
using Build.ML.Engine.Running;
using Build.ML.Engine.Sources;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine;

/// <summary>
/// Turns recipes into artifacts: plans, takes from the cache what it has, runs the rest within a core budget. Thread-safe; loading plugins is
/// done once, so keep an engine for several builds.
/// </summary>
public sealed class BuildEngine : IDisposable
{
    private readonly Lazy<EngineServices> _services;
    private readonly Lazy<FileHashCache> _hashes;
    private readonly Lazy<TemporaryArea> _temporary;
    private readonly Lazy<FileStore> _files;
    private readonly Lazy<ItemRunner> _runner;
    private int _ran;

    /// <summary>Creates an engine; plugins are loaded when first needed.</summary>
    public BuildEngine(EngineOptions options)
        : this(options, EngineServices.Load)
    {
    }

    internal BuildEngine(EngineOptions options, Func<EngineOptions, EngineServices> load)
    {
        Options = options with { CachePath = Path.GetFullPath(options.CachePath), WorkPath = Path.GetFullPath(options.WorkPath) };
        _services = new(() => load(Options));
        _hashes = new(() => new FileHashCache(Path.Combine(Options.WorkPath, ".hashes"), Options.TimeProvider));
        _temporary = new(() => new TemporaryArea(Path.Combine(Options.WorkPath, ".tmp")));
        _files = new(() => new FileStore(_services.Value.Store, _hashes.Value, Path.Combine(Options.WorkPath, ".files"), _temporary.Value));
        _runner = new(() => FileErrors.Guard(Options.WorkPath, () => new ItemRunner(
            _services.Value, Options.TimeProvider, _hashes.Value, _temporary.Value, _files.Value, OpenCheckpoints(Options), new CoreBudget(Options.Cores))));
    }

    /// <summary>What the engine was made with, paths made full.</summary>
    public EngineOptions Options { get; }

    /// <summary>What recipes can name.</summary>
    /// <exception cref="DiagnosticException">Every violation in the plugins.</exception>
    public CatalogSet Catalogs => _services.Value.Catalogs;

    /// <summary>The cache.</summary>
    /// <exception cref="DiagnosticException">It cannot be opened, or plugins cannot be loaded.</exception>
    public IArtifactStore Store => _services.Value.Store;

    /// <summary>Opens the cache that options name, without loading anything else.</summary>
    /// <exception cref="DiagnosticException">BML5004, BML4002: it cannot be opened.</exception>
    public static IArtifactStore OpenStore(EngineOptions options) => EngineServices.OpenStore(options);

    /// <summary>The checkpoints of killed steps beside the cache that options name.</summary>
    public static CheckpointArea OpenCheckpoints(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(Path.Combine(options.CachePath, "checkpoints"), options.TimeProvider);
    }

    /// <summary>Reads recipes and works out what has to be done. Runs nothing and writes nothing.</summary>
    /// <param name="recipeFiles">Full paths.</param>
    /// <param name="cancellation">Stops planning.</param>
    /// <exception cref="DiagnosticException">Every violation in the recipes and plugins.</exception>
    public Plan Plan(IReadOnlyList<string> recipeFiles, CancellationToken cancellation = default) =>
        FileErrors.Guard(Options.WorkPath, () => new Planner(_services.Value, Options, _hashes.Value).Plan(recipeFiles, cancellation));

    /// <summary>
    /// Writes the key files of a plan (only those that changed) and deletes stamps that do not fit: of another key, of other contents of what the
    /// item needs, or whose result is gone or was altered. MSBuild's timestamps then tell the truth. <see cref="RunAll"/> does this itself.
    /// </summary>
    /// <exception cref="DiagnosticException">BML5003: the work folder cannot be written to.</exception>
    public void WriteKeys(Plan plan)
    {
        foreach (var item in plan.Items)
        {
            FileErrors.Guard(item.KeyFile, () => WriteKey(plan, item));
        }

        _hashes.Value.TrySave();
    }

    /// <summary>Does one item whose needs are done: nothing when it is up to date, else from the cache, else runs it.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="itemId">The item.</param>
    /// <param name="observer">Watches.</param>
    /// <param name="cancellation">Stops at once; the item's last result stays.</param>
    /// <returns>The outcome; user mistakes are diagnostics in it, bugs are thrown.</returns>
    public ItemOutcome Run(Plan plan, string itemId, IBuildObserver observer, CancellationToken cancellation = default)
    {
        var outcome = _runner.Value.Run(plan, plan[itemId], new SerialObserver(observer), cancellation);
        Count(outcome);
        return outcome;
    }

    /// <summary>Does all items, independent ones in parallel within <see cref="EngineOptions.Cores"/>.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="observer">Watches.</param>
    /// <param name="targets">Ids of the items wanted, done with all they need; null for all.</param>
    /// <param name="cancellation">Stops at once; what is done stays done.</param>
    public BuildOutcome RunAll(
        Plan plan, IBuildObserver observer, IReadOnlyCollection<string>? targets = null, CancellationToken cancellation = default)
    {
        WriteKeys(plan);
        var outcome = new Scheduler(_runner.Value, Options.Cores).Run(plan, targets, new SerialObserver(observer), cancellation);
        foreach (var item in outcome.Items)
        {
            Count(item);
        }

        _hashes.Value.TrySave();
        return outcome;
    }

    /// <summary>Says whether an item would run, and why: the difference between the last run's fingerprint and the present one.</summary>
    public Explanation Explain(Plan plan, string itemId) => new Explainer(plan, _hashes.Value).Explain(plan[itemId]);

    /// <summary>The same for all items, in the plan's order.</summary>
    public IReadOnlyList<Explanation> Explain(Plan plan)
    {
        var explainer = new Explainer(plan, _hashes.Value);
        return [.. plan.Items.Select(explainer.Explain)];
    }

    /// <summary>Takes the figures of a model file on the data of a recipe; keeps nothing.</summary>
    /// <param name="evaluation">Which figures.</param>
    /// <param name="progress">Receives progress.</param>
    /// <param name="report">Receives warnings and facts.</param>
    /// <param name="cancellation">Stops at once.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">Everything wrong with the recipe, the model or the data; BML6005 to BML6008: with what is asked for.</exception>
    public ImmutableArray<Measurement> Evaluate(
        FileEvaluation evaluation, IProgress<StepProgress> progress, Action<Diagnostic> report, CancellationToken cancellation = default)
    {
        var plan = Plan([evaluation.RecipeFile], cancellation);
        BuildSource(plan.Items[0], plan, cancellation);
        var scratch = Directory.CreateDirectory(_temporary.Value.NewName()).FullName;
        try
        {
            return evaluation.Run(new ItemContext
            {
                Item = plan.Items[0],
                Plan = plan,
                Services = _services.Value,
                Files = _files.Value,
                Output = scratch,
                Scratch = scratch,
                Threads = Options.Cores,
                Report = report,
                Text = static _ => { },
                Progress = progress,
                Cancellation = cancellation,
            });
        }
        finally
        {
            ReadOnlyFile.DeleteFolder(scratch);
        }
    }

    /// <summary>Drops what the cache holds beyond its limit if anything was added, and deletes temporary files.</summary>
    public void Dispose()
    {
        if (_temporary.IsValueCreated)
        {
            _temporary.Value.Dispose();
        }

        if (_hashes.IsValueCreated)
        {
            _hashes.Value.Dispose();
        }

        if (!_services.IsValueCreated)
        {
            return;
        }

        if (_ran > 0)
        {
            Collect();
        }

        _services.Value.Store.Dispose();
    }

    // A model that an architecture builds is nowhere before its item is done.
    private void BuildSource(WorkItem source, Plan plan, CancellationToken cancellation)
    {
        if (source.Work is ArchitectureWork && _runner.Value.Run(plan, source, SilentObserver.Instance, cancellation) is { Succeeded: false } failed)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new DiagnosticException(failed.Diagnostics);
        }
    }

    private void Collect()
    {
        try
        {
            Store.Collect(Options.CacheLimit);
            OpenCheckpoints(Options).Collect(CheckpointArea.MaximumAge);
        }
        catch (DiagnosticException e)
        {
            // Disposal throws nothing; the next build tries again.
            foreach (var diagnostic in e.Diagnostics)
            {
                Options.Report(diagnostic with { Severity = Severity.Warning });
            }
        }
    }

    private bool WriteKey(Plan plan, WorkItem item)
    {
        var written = DurableFile.WriteIfChanged(item.KeyFile, item.Key + "\n");
        if (File.Exists(item.StampFile) && !(ItemStamps.Fits(item, plan)
            && ItemRecord.Read(item.Directory) is { } record && record.IsIntact(item.Directory, _hashes.Value, CancellationToken.None)))
        {
            File.Delete(item.StampFile);
        }

        return written;
    }

    private void Count(ItemOutcome outcome)
    {
        if (outcome.Status == ItemStatus.Ran)
        {
            Interlocked.Increment(ref _ran);
        }
    }
}
