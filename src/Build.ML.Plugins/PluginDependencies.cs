using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Plugins;

/// <summary>The files that make up a plugin: its assembly and what its deps.json lists, without the contract.</summary>
internal sealed class PluginDependencies
{
    private readonly string _folder;
    private readonly SortedSet<string> _files = new(StringComparer.Ordinal); // relative, forward slashes

    private PluginDependencies(string folder) => _folder = folder;

    /// <summary>Listed files that are not there.</summary>
    internal IEnumerable<string> Missing => _files.Where(f => !File.Exists(Path.Combine(_folder, f)));

    internal static PluginDependencies Read(string path)
    {
        var result = new PluginDependencies(Path.GetDirectoryName(path)!);
        result._files.Add(Path.GetFileName(path));
        var list = Path.ChangeExtension(path, ".deps.json");
        if (File.Exists(list))
        {
            result.Listed(list);
        }
        else
        {
            // Without a list, .NET resolves from all assemblies in the folder.
            result._files.UnionWith(Directory.EnumerateFiles(result._folder, "*.dll").Select(f => Path.GetFileName(f)!).Where(IsPrivate));
        }

        return result;
    }

    /// <summary>SHA-256 over name and content of every file.</summary>
    internal string ContentHash()
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in _files)
        {
            using var file = File.OpenRead(Path.Combine(_folder, name));
            all.AppendData(Encoding.UTF8.GetBytes($"{name}\n{Convert.ToHexStringLower(SHA256.HashData(file))}\n"));
        }

        return Convert.ToHexStringLower(all.GetHashAndReset());
    }

    private static bool IsPrivate(string file) => !SharedAssemblies.IsContract(Path.GetFileNameWithoutExtension(file));

    // The deps.json of .NET: targets / <framework> / <library> / runtime, native (flattened into the folder), runtimeTargets (in their folders).
    private void Listed(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var target = json.RootElement.GetProperty("runtimeTarget").GetProperty("name").GetString()!;
            foreach (var library in json.RootElement.GetProperty("targets").GetProperty(target).EnumerateObject())
            {
                Add(library.Value, "runtime", flattened: true);
                Add(library.Value, "native", flattened: true);
                Add(library.Value, "runtimeTargets", flattened: false);
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IOException)
        {
            throw new DiagnosticException("BML3016", $"The dependencies of plugin {Path.GetFileName(path)} cannot be read: {e.Message}", new(path));
        }
    }

    private void Add(JsonElement library, string kind, bool flattened)
    {
        if (!library.TryGetProperty(kind, out var assets))
        {
            return;
        }

        foreach (var asset in assets.EnumerateObject())
        {
            var file = flattened ? Path.GetFileName(asset.Name) : asset.Name;
            if (file is not "_._" && IsPrivate(file))
            {
                _files.Add(file);
            }
        }
    }
}
