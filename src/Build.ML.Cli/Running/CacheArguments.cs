using System.CommandLine;
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
}
