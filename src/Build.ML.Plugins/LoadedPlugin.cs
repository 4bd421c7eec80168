using System.Reflection;

namespace Build.ML.Plugins;

/// <summary>A plugin in the process.</summary>
/// <param name="Name">The assembly's name.</param>
/// <param name="Version">Its informational version, else its assembly version.</param>
/// <param name="Path">Absolute path of the assembly.</param>
/// <param name="ContentHash">
/// SHA-256 (64 hexadecimal digits) over the assembly and its private dependencies, managed and native; part of the fingerprint of everything it makes. The
/// folder does not enter, nor do the contract assemblies, which come from the host.
/// </param>
/// <param name="Assembly">The assembly, in its own load context.</param>
public sealed record LoadedPlugin(string Name, string Version, string Path, string ContentHash, Assembly Assembly);
