using System.CommandLine;
using Build.ML.Plugins;

namespace Build.ML.Cli.Running;

/// <summary>Which plugins are loaded: the built-in ones and those of <c>--plugin</c>.</summary>
internal sealed class PluginArguments
{
    private readonly Option<string[]> _plugins = new("--plugin")
    {
        Description = "Assembly file of a plugin to load besides the built-in ones. May be given several times.",
    };

    /// <summary>Adds the option to a command.</summary>
    public void AddTo(Command command) => command.Add(_plugins);

    /// <summary>Full paths of all plugin assemblies.</summary>
    public IReadOnlyList<string> Paths(Invocation invocation) =>
        [.. PluginSet.Find(invocation.Context.PluginFolder), .. invocation.Get(_plugins)!.Select(invocation.Context.FullPath)];
}
