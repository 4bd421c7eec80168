using System.CommandLine;
using Build.ML.Abstractions;
using Build.ML.Cli.Running;
using Build.ML.Graph.Catalogs;
using Build.ML.Plugins;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Lists the plugins and what each brings.</summary>
[Command("plugins")]
public sealed class PluginsCommand : ICliCommand
{
    private readonly PluginArguments _plugins = new();

    /// <inheritdoc/>
    public string Description => "List the loaded plugins with their techniques, data readers and metrics.";

    /// <inheritdoc/>
    public void Define(Command command) => _plugins.AddTo(command);

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var set = PluginSet.Load(_plugins.Paths(invocation));
        invocation.Show(new Listing([.. set.Plugins.Select(p => Describe(p, set.Catalogs))]), Render);
        return ExitCodes.Success;
    }

    private static PluginDescription Describe(LoadedPlugin plugin, CatalogSet catalogs)
    {
        return new(plugin.Name, plugin.Version, plugin.Path, plugin.ContentHash,
            Names(catalogs.Techniques), Names(catalogs.Readers), Names(catalogs.Metrics));

        string[] Names<T>(Catalog<T> catalog)
            where T : class => [.. catalog.Where(e => e.Type.Assembly == plugin.Assembly).Select(e => e.Name)];
    }

    private static void Render(Listing listing, IAnsiConsole console)
    {
        if (listing.Plugins.Count == 0)
        {
            console.WriteLine("No plugins.");
        }

        foreach (var plugin in listing.Plugins)
        {
            console.MarkupLineInterpolated($"[bold]{plugin.Name}[/] {plugin.Version}");
            Line("techniques", string.Join(", ", plugin.Techniques));
            Line("readers", string.Join(", ", plugin.Readers));
            Line("metrics", string.Join(", ", plugin.Metrics));
            Line("content", plugin.ContentHash[..12]);
            Line("path", plugin.Path);
        }

        void Line(string label, string text)
        {
            if (text.Length > 0)
            {
                console.WriteLine($"  {label,-11}{text}");
            }
        }
    }

    private sealed record Listing(IReadOnlyList<PluginDescription> Plugins);

    private sealed record PluginDescription(
        string Name, string Version, string Path, string ContentHash,
        IReadOnlyList<string> Techniques, IReadOnlyList<string> Readers, IReadOnlyList<string> Metrics);
}
