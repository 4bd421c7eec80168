using System.CommandLine;
using System.Reflection;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Components;
using Build.ML.Cli.Running;
using Build.ML.Graph.Catalogs;
using Build.ML.Plugins;
using Build.ML.Recipes.Options;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Lists the plugins and what each brings.</summary>
[Command("plugins")]
public sealed class PluginsCommand : ICliCommand
{
    private readonly PluginArguments _plugins = new();

    /// <inheritdoc/>
    public string Description => "List the loaded plugins with their techniques, data readers, metrics and components.";

    /// <inheritdoc/>
    public void Define(Command command) => _plugins.AddTo(command);

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var set = PluginSet.Load(_plugins.Paths(invocation));
        invocation.Show(
            new Listing([.. set.Plugins.Select(p => Describe(p, set.Catalogs))], [.. PluginSet.ContractAssemblies.SelectMany(a => Components(set.Catalogs, a))]), Render);
        return ExitCodes.Success;
    }

    private static PluginDescription Describe(LoadedPlugin plugin, CatalogSet catalogs)
    {
        return new(plugin.Name, plugin.Version, plugin.Path, plugin.ContentHash,
            Names(catalogs.Techniques), Names(catalogs.Readers), Names(catalogs.Metrics), [.. Components(catalogs, plugin.Assembly)]);

        string[] Names<T>(Catalog<T> catalog)
            where T : class => [.. catalog.Where(e => e.Type.Assembly == plugin.Assembly).Select(e => e.Name)];
    }

    private static IEnumerable<ComponentDescription> Components(CatalogSet catalogs, Assembly assembly) =>
        from kind in catalogs.Components.Kinds
        from member in kind.Value
        where member.Type.Assembly == assembly
        select new ComponentDescription(ComponentCatalogs.WordFor(kind.Key), member.Name, [.. OptionRecord.Of(member.Type).Properties.Select(p => p.Key)]);

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
            Components(plugin.Components);
            Line("content", plugin.ContentHash[..12]);
            Line("path", plugin.Path);
        }

        if (listing.Components.Count > 0)
        {
            console.MarkupLineInterpolated($"[bold]Build.ML[/]");
            Components(listing.Components);
        }

        void Components(IReadOnlyList<ComponentDescription> components)
        {
            foreach (var component in components)
            {
                Line(component.Kind, component.Options.Count == 0 ? component.Name : $"{component.Name}: {string.Join(", ", component.Options)}");
            }
        }

        void Line(string label, string text)
        {
            if (text.Length > 0)
            {
                console.WriteLine($"  {label.PadRight(10)} {text}");
            }
        }
    }

    private sealed record Listing(IReadOnlyList<PluginDescription> Plugins, IReadOnlyList<ComponentDescription> Components);

    private sealed record PluginDescription(
        string Name, string Version, string Path, string ContentHash,
        IReadOnlyList<string> Techniques, IReadOnlyList<string> Readers, IReadOnlyList<string> Metrics, IReadOnlyList<ComponentDescription> Components);

    private sealed record ComponentDescription(string Kind, string Name, IReadOnlyList<string> Options);
}
