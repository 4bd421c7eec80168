using System.Reflection;
using System.Runtime.Loader;
using Build.ML.Abstractions;
using Build.ML.Graph;

namespace Build.ML.Plugins;

/// <summary>What plugins get from the host whatever they bring: the contract, so that its types are the same on both sides, and the .NET base library.</summary>
internal static class SharedAssemblies
{
    private static readonly string BaseLibraryFolder = Path.GetDirectoryName(typeof(object).Assembly.Location)!;

    private static readonly Dictionary<string, Version?> Contract = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Build.ML.Graph"] = typeof(Model).Assembly.GetName().Version,
        ["Build.ML.Abstractions"] = typeof(CatalogSet).Assembly.GetName().Version,
        // No type of them is named here; they have the version of the others, being of the same build.
        ["Build.ML.Autodiff"] = typeof(Model).Assembly.GetName().Version,
        ["Build.ML.Training"] = typeof(Model).Assembly.GetName().Version,
    };

    /// <summary>Build.ML.Training as the host has it: losses, optimizers and the like, and the loop that uses them.</summary>
    internal static Assembly Training { get; } = Hosted("Build.ML.Training");

    /// <summary>Build.ML.Autodiff as the host has it.</summary>
    internal static Assembly Autodiff { get; } = Hosted("Build.ML.Autodiff");

    /// <summary>The contract assemblies that recipes can name classes of: a plugin refers to one of them at least.</summary>
    internal static IReadOnlyList<string> Required { get; } = ["Build.ML.Abstractions", "Build.ML.Training"];

    internal static bool IsContract(string? name) => name is not null && Contract.ContainsKey(name);

    /// <summary>The host's version of a contract assembly.</summary>
    internal static Version HostVersion(string name) => Contract[name]!;

    internal static bool IsBaseLibrary(AssemblyName name) => File.Exists(Path.Combine(BaseLibraryFolder, name.Name + ".dll"));

    private static Assembly Hosted(string name) => AssemblyLoadContext.GetLoadContext(typeof(CatalogSet).Assembly)!.LoadFromAssemblyName(new(name));
}
