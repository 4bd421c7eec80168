using System.Collections.Concurrent;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Build.ML.Plugins;

/// <summary>
/// The part of a plugin's code that is the host's. Graph and Abstractions stand in every fingerprint as part of the engine; automatic
/// differentiation and training stand
/// only where something learns, so that a change of them reruns no other step.
/// </summary>
internal static class ContractCode
{
    private static readonly string[] Learning = ["Build.ML.Autodiff", "Build.ML.Training"];

    // What an assembly refers to stays as it is: a memo, since a plan of a thousand steps asks a thousand times.
    private static readonly ConcurrentDictionary<(string, Assembly), string> Known = [];

    /// <summary>
    /// The content hash as it is where nothing is learnt; else SHA-256 over it and the version ids of the modules that learn.
    /// </summary>
    /// <param name="contentHash">Of the assembly's plugin; empty for an assembly of the contract.</param>
    /// <param name="assembly">A plugin or an assembly of the contract.</param>
    internal static string HashOf(string contentHash, Assembly assembly) => Known.GetOrAdd((contentHash, assembly), static key =>
    {
        var learns = IsLearning(key.Item2.GetName()) || Array.Exists(key.Item2.GetReferencedAssemblies(), IsLearning);
        if (!learns && key.Item1.Length > 0)
        {
            return key.Item1;
        }

        // Compilers derive the version id of a module from its source and references: that of Training tells of Autodiff's surface, not of
        // its code.
        var code = learns ? $"{IdOf(SharedAssemblies.Training)} {IdOf(SharedAssemblies.Autodiff)}" : IdOf(key.Item2);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key.Item1} {code}")));
    });

    private static bool IsLearning(AssemblyName name) => Learning.Contains(name.Name, StringComparer.OrdinalIgnoreCase);

    private static string IdOf(Assembly assembly) => assembly.ManifestModule.ModuleVersionId.ToString("N");
}
