using System.Reflection;
using Build.ML.Abstractions;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Plugins;

/// <summary>Plugins and what they bring.</summary>
public sealed class PluginSet
{
    private PluginSet(IReadOnlyList<LoadedPlugin> plugins, CatalogSet catalogs) => (Plugins, Catalogs) = (plugins, catalogs);

    /// <summary>The plugins, in ordinal order of name.</summary>
    public IReadOnlyList<LoadedPlugin> Plugins { get; }

    /// <summary>Techniques, readers, metrics and components of all plugins, and the components of the contract.</summary>
    public CatalogSet Catalogs { get; }

    /// <summary>Assemblies of the contract that may hold components: the host's own, shared by all plugins.</summary>
    public static IReadOnlyList<Assembly> ContractAssemblies { get; } = [typeof(CatalogSet).Assembly, SharedAssemblies.Training];

    /// <summary>
    /// Loads plugins, each in a load context of its own: what it brings stays private, so that two plugins may bring different versions of one library; the
    /// contract (Build.ML.Graph, Build.ML.Autodiff, Build.ML.Abstractions, Build.ML.Training) and the .NET base library are the host's.
    /// </summary>
    /// <param name="assemblyPaths">Assembly files; a path given twice counts once.</param>
    /// <exception cref="DiagnosticException">All violations: BML3001 to BML3006 of catalogs, BML3010 to BML3016 of plugins. Nothing is loaded before its check passes.</exception>
    public static PluginSet Load(IEnumerable<string> assemblyPaths)
    {
        ArgumentNullException.ThrowIfNull(assemblyPaths);
        var errors = new List<Diagnostic>();
        var plugins = new List<LoadedPlugin>();
        var comparison = OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;
        foreach (var path in assemblyPaths.Select(Path.GetFullPath).Distinct(comparison).Order(StringComparer.Ordinal))
        {
            try
            {
                plugins.Add(LoadOne(path));
            }
            catch (DiagnosticException e)
            {
                errors.AddRange(e.Diagnostics);
            }
        }

        RejectSameNames(plugins, errors);
        var catalogs = Scan(plugins, errors);
        return errors.Count == 0 ? new([.. plugins.OrderBy(p => p.Name, StringComparer.Ordinal)], catalogs!) : throw new DiagnosticException(errors);
    }

    /// <summary>
    /// The plugins of a folder as the tools ship them: each <c>&lt;Name&gt;/&lt;Name&gt;.dll</c>. A folder that does not exist has none.
    /// </summary>
    public static IEnumerable<string> Find(string folder) =>
        !Directory.Exists(folder) ? []
        : Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)
            .Select(d => Path.Combine(d, Path.GetFileName(d) + ".dll")).Where(File.Exists);

    /// <summary>The plugin that a technique, reader or metric of <see cref="Catalogs"/> comes from.</summary>
    public LoadedPlugin PluginOf(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Plugins.First(p => p.Assembly == type.Assembly);
    }

    /// <summary>
    /// What stands in fingerprints for the code of a technique, reader, metric or component: SHA-256 of its plugin's content and, where that learns, of the training code
    /// that it gets from the host.
    /// </summary>
    public string CodeHash(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return ContractAssemblies.Contains(type.Assembly) ? ContractCode.HashOf("", type.Assembly) : ContractCode.HashOf(PluginOf(type).ContentHash, type.Assembly);
    }

    private static LoadedPlugin LoadOne(string path)
    {
        var metadata = PluginMetadata.Read(path);
        var dependencies = PluginDependencies.Read(path);
        var context = new PluginLoadContext(path, metadata.Name);
        PluginChecks.Check(metadata, dependencies, context);
        try
        {
            var assembly = context.LoadFromAssemblyPath(path);
            var version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? metadata.Version.ToString();
            return new(metadata.Name, version, path, dependencies.ContentHash(), assembly);
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or FileNotFoundException)
        {
            throw new DiagnosticException("BML3016", $"Plugin {metadata.Name} cannot be loaded: {e.Message}", new(path));
        }
    }

    private static void RejectSameNames(List<LoadedPlugin> plugins, List<Diagnostic> errors)
    {
        foreach (var same in plugins.GroupBy(p => p.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
        {
            errors.Add(new("BML3014", $"Plugin {same.Key} is given {same.Count()} times: {string.Join(", ", same.Select(p => p.Path))}; keep one.", new(same.Last().Path)));
        }
    }

    private static CatalogSet? Scan(List<LoadedPlugin> plugins, List<Diagnostic> errors)
    {
        // Two copies of one plugin would repeat the error above once a class.
        if (errors.Exists(e => e.Code == "BML3014"))
        {
            return null;
        }

        try
        {
            return CatalogSet.Scan([.. ContractAssemblies, .. plugins.Select(p => p.Assembly)]);
        }
        catch (DiagnosticException e)
        {
            errors.AddRange(e.Diagnostics);
            return null;
        }
    }
}
