using System.Reflection;
using System.Runtime.Loader;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Plugins;

/// <summary>The load context of one plugin: its own folder and deps.json first, the contract and the base library from the host, nothing else.</summary>
internal sealed class PluginLoadContext : AssemblyLoadContext
{
    private readonly AssemblyDependencyResolver _resolver;

    internal PluginLoadContext(string path, string name)
        : base(name)
    {
        try
        {
            _resolver = new AssemblyDependencyResolver(path);
        }
        catch (InvalidOperationException e)
        {
            throw new DiagnosticException("BML3016", $"The dependencies of plugin {name} cannot be read: {e.Message}", new(Path.ChangeExtension(path, ".deps.json")));
        }
    }

    /// <summary>The plugin's private file of an assembly, or null.</summary>
    internal string? PathOf(AssemblyName name) => _resolver.ResolveAssemblyToPath(name);

    /// <inheritdoc/>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (SharedAssemblies.IsContract(assemblyName.Name))
        {
            return null; // the host's
        }

        // Private first: a plugin may bring a newer System.* package than the framework has.
        if (PathOf(assemblyName) is { } path)
        {
            return LoadFromAssemblyPath(path);
        }

        // Falling back to whatever libraries the host happens to have would make a plugin work in one tool and fail in another.
        return SharedAssemblies.IsBaseLibrary(assemblyName) ? null
            : throw new FileNotFoundException($"Plugin {Name} needs {assemblyName.Name} {assemblyName.Version}, which it does not bring.", assemblyName.Name);
    }

    /// <inheritdoc/>
    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : base.LoadUnmanagedDll(unmanagedDllName);
}
