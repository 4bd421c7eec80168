using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Plugins;

/// <summary>What an assembly file says about itself, read without loading it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="References">What it refers to.</param>
internal sealed record PluginMetadata(string Path, string Name, Version Version, ImmutableArray<AssemblyName> References)
{
    internal static PluginMetadata Read(string path)
    {
        try
        {
            using var file = new PEReader(File.OpenRead(path));
            if (file.HasMetadata && file.GetMetadataReader() is { IsAssembly: true } reader)
            {
                var definition = reader.GetAssemblyDefinition();
                return new(
                    path, reader.GetString(definition.Name), definition.Version,
                    [.. reader.AssemblyReferences.Select(r => reader.GetAssemblyReference(r).GetAssemblyName())]);
            }
        }
        catch (BadImageFormatException)
        {
            // said below
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("BML3010", $"Plugin {path} cannot be read: {e.Message} Build it first, or correct the path.", new(path));
        }

        throw new DiagnosticException("BML3011", $"{path} is no .NET assembly; expected the plugin's own .dll.", new(path));
    }
}
