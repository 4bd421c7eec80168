using System.Reflection;
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

    /// <summary>The contract assembly that a recipe's plugin must refer to.</summary>
    internal static string Required => "Build.ML.Abstractions";

    internal static bool IsContract(string? name) => name is not null && Contract.ContainsKey(name);

    /// <summary>The host's version of a contract assembly.</summary>
    internal static Version HostVersion(string name) => Contract[name]!;

    internal static bool IsBaseLibrary(AssemblyName name) => File.Exists(Path.Combine(BaseLibraryFolder, name.Name + ".dll"));
}
