using System.Reflection;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Plugins;

/// <summary>What must hold before any code of a plugin is loaded.</summary>
internal static class PluginChecks
{
    internal static void Check(PluginMetadata plugin, PluginDependencies dependencies, PluginLoadContext context)
    {
        var errors = new List<Diagnostic>();
        var place = new SourceLocation(plugin.Path);
        if (!plugin.References.Any(r => SharedAssemblies.Required.Contains(r.Name)))
        {
            errors.Add(new("BML3012", $"{plugin.Name} refers to none of {string.Join(", ", SharedAssemblies.Required)}, so it cannot be a plugin; give the plugin's own assembly.", place));
        }

        foreach (var reference in plugin.References)
        {
            if (SharedAssemblies.IsContract(reference.Name))
            {
                if (!IsCompatible(reference.Version!, SharedAssemblies.HostVersion(reference.Name!)))
                {
                    errors.Add(WrongContract(plugin, reference, place));
                }
            }
            else if (context.PathOf(reference) is null && !SharedAssemblies.IsBaseLibrary(reference))
            {
                errors.Add(new(
                    "BML3015",
                    $"Plugin {plugin.Name} needs {reference.Name} {reference.Version}, which is not beside it; "
                    + "publish the plugin with its dependencies (EnableDynamicLoading in its project puts them there).",
                    place));
            }
        }

        foreach (var missing in dependencies.Missing)
        {
            errors.Add(new("BML3015", $"Plugin {plugin.Name} lists {missing} in its deps.json, but the file is not there; publish the plugin again.", place));
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    // Semantic versioning: before 1.0 each minor version may break, from 1.0 each major one. What is newer than the host may use what the host lacks.
    private static bool IsCompatible(Version wanted, Version host) =>
        wanted.Major == host.Major && (host.Major > 0 || wanted.Minor == host.Minor) && wanted <= host;

    private static Diagnostic WrongContract(PluginMetadata plugin, AssemblyName reference, SourceLocation place)
    {
        var host = SharedAssemblies.HostVersion(reference.Name!);
        var advice = reference.Version > host ? "update Build.ML, or take an older version of the plugin" : "take a version of the plugin built for this Build.ML";
        return new("BML3013", $"Plugin {plugin.Name} was built for {reference.Name} {reference.Version}, this is {host}: {advice}.", place);
    }
}
