using System.Reflection;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Inference;
using Build.ML.Autodiff;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.OnnxRuntime;
using Build.ML.Plugins;

namespace Build.ML.Engine;

/// <summary>Everything an engine works with, made once.</summary>
/// <param name="Catalogs">What recipes can name.</param>
/// <param name="AssemblyHash">What stands for the code of a class: the content hash of its plugin, with its private dependencies.</param>
/// <param name="PluginFiles">Files of all plugins: inputs of every plan.</param>
/// <param name="PluginVersions">Name and version of each plugin, for provenance.</param>
/// <param name="Inference">Runs models.</param>
/// <param name="Store">The cache.</param>
internal sealed record EngineServices(
    CatalogSet Catalogs,
    Func<Type, string> AssemblyHash,
    IReadOnlyList<string> PluginFiles,
    IReadOnlyList<KeyValuePair<string, string>> PluginVersions,
    IInference Inference,
    IArtifactStore Store)
{
    /// <summary>Version of the engine for users.</summary>
    public static string Version { get; } =
        typeof(EngineServices).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>
    /// What enters fingerprints as the engine: version and identity of its compiled code. Compilers give a module compiled from the same source the same
    /// version id (builds are deterministic), and another one whenever anything changed.
    /// </summary>
    public string EngineIdentity { get; init; } = Version + " " + IdentityOf(
        typeof(EngineServices).Assembly, typeof(Graph.Model).Assembly, typeof(CatalogSet).Assembly, typeof(Recipes.Recipe).Assembly,
        typeof(Fingerprint).Assembly, typeof(OnnxRuntimeInference).Assembly, typeof(Packing.PackedModel).Assembly);

    /// <summary>Plugins with gradients of operators, and what stands for their code: part of every step's fingerprint. Default: none.</summary>
    public IReadOnlyList<KeyValuePair<Assembly, string>> Gradients { get; init; } = [];

    /// <summary>Loads plugins and opens the cache.</summary>
    /// <exception cref="DiagnosticException">Plugins that cannot be loaded; BML5004: no such store; BML4002: a cache that cannot be opened.</exception>
    public static EngineServices Load(EngineOptions options)
    {
        var plugins = PluginSet.Load(options.PluginPaths);
        return new(plugins.Catalogs, plugins.CodeHash, [.. plugins.Plugins.SelectMany(FilesOf)],
            [.. plugins.Plugins.Select(p => KeyValuePair.Create(p.Name, p.Version))], new OnnxRuntimeInference(), OpenStore(options))
        {
            Gradients =
            [
                .. plugins.Plugins.Where(p => p.Assembly.GetTypes().Any(t => t.IsDefined(typeof(GradientsAttribute), false)))
                    .Select(p => KeyValuePair.Create(p.Assembly, p.ContentHash)),
            ],
        };
    }

    /// <summary>Opens the cache that options name.</summary>
    public static IArtifactStore OpenStore(EngineOptions options)
    {
        var stores = Catalog<ICacheStore>.Scan(typeof(ICacheStore).Assembly);
        var entry = stores.Find(options.CacheStore) ?? throw new DiagnosticException("BML5004",
            $"There is no cache store '{options.CacheStore}'; known are {string.Join(", ", stores.Names)}.");
        return entry.Create().Open(new StoreOptions { Path = options.CachePath, TimeProvider = options.TimeProvider, Report = options.Report });
    }

    // What a change of would give the plugin another content hash: the assembly and what lies beside it.
    private static IEnumerable<string> FilesOf(LoadedPlugin plugin) => Directory
        .EnumerateFiles(Path.GetDirectoryName(plugin.Path)!, "*", SearchOption.AllDirectories)
        .Where(f => Path.GetExtension(f) is ".dll" or ".so" or ".dylib" || f.EndsWith(".deps.json", StringComparison.Ordinal));

    private static string IdentityOf(params Assembly[] assemblies)
    {
        var builder = new FingerprintBuilder();
        foreach (var assembly in assemblies)
        {
            builder.Add(assembly.GetName().Name!, assembly.ManifestModule.ModuleVersionId.ToString("N"));
        }

        return builder.Build().Hash;
    }
}
