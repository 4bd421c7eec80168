namespace Build.ML.Engine;

/// <summary>
/// Turns recipes into artifacts: plans, takes from the cache what it has, runs the rest within a core budget. Thread-safe; loading plugins is
/// done once, so keep an engine for several builds.
/// </summary>
public sealed class BuildEngine : IDisposable
{
    /// <summary>Creates an engine; plugins are loaded when first needed.</summary>
    public BuildEngine(EngineOptions options) => Options = options;

    /// <summary>What the engine was made with.</summary>
    public EngineOptions Options { get; }

    /// <summary>Reads recipes and works out what has to be done. Runs nothing and writes nothing but the cache's record of file hashes.</summary>
    /// <param name="recipeFiles">Full paths.</param>
    /// <param name="cancellation">Stops planning.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">Every violation in the recipes and plugins.</exception>
    public Plan Plan(IReadOnlyList<string> recipeFiles, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>
    /// Writes the key files of a plan (only those that changed) and deletes stamps that do not fit: of another key, of other contents of what the
    /// item needs, or whose result is gone or was altered. MSBuild's timestamps then tell the truth. <see cref="RunAll"/> does this itself.
    /// </summary>
    public void WriteKeys(Plan plan) => throw new NotSupportedException();

    /// <summary>Does one item whose needs are done: nothing when it is up to date, else from the cache, else runs it.</summary>
    /// <returns>The outcome; user mistakes are diagnostics in it, bugs are thrown.</returns>
    public ItemOutcome Run(Plan plan, string itemId, IBuildObserver observer, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    /// <summary>Does all items, independent ones in parallel within <see cref="EngineOptions.Cores"/>.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="observer">Watches.</param>
    /// <param name="targets">Ids of the items wanted, done with all they need; null for all.</param>
    /// <param name="cancellation">Stops at once; what is done stays done.</param>
    public BuildOutcome RunAll(
        Plan plan, IBuildObserver observer, IReadOnlyCollection<string>? targets = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    /// <summary>Says whether an item would run, and why: the difference between the last run's fingerprint and the present one.</summary>
    public Explanation Explain(Plan plan, string itemId) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
