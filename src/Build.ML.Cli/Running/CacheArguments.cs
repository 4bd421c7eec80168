using System.CommandLine;
using Build.ML.Caching.Checkpoints;
using Build.ML.Caching.Stores;
using Build.ML.Engine;

namespace Build.ML.Cli.Running;

/// <summary>Which cache is meant.</summary>
internal sealed class CacheArguments
{
    private readonly Option<string?> _cache = new("--cache") { Description = "Folder of the artifact cache. Default: the user's." };

    /// <summary>Adds the option to a command.</summary>
    public void AddTo(Command command) => command.Add(_cache);

    /// <summary>Full path of the cache's folder.</summary>
    public string Path(Invocation invocation) => invocation.Get(_cache) is { } path ? invocation.Context.FullPath(path) : UserFolders.Cache;

    /// <summary>An engine's options for this cache alone.</summary>
    public EngineOptions Options(Invocation invocation) => new()
    {
        CachePath = Path(invocation),
        WorkPath = invocation.Context.Folder,
        TimeProvider = invocation.Context.TimeProvider,
        Report = invocation.Report,
    };

    /// <summary>Checkpoints of killed steps beside the cache.</summary>
    public CheckpointArea Checkpoints(Invocation invocation) => BuildEngine.OpenCheckpoints(Options(invocation));

    /// <summary>Opens the cache.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">It cannot be opened.</exception>
    public IArtifactStore Open(Invocation invocation) => BuildEngine.OpenStore(Options(invocation));
}
