using System.Text.Json;
using Build.ML.Engine;
using Build.ML.Plugins;

namespace Build.ML.Worker;

/// <summary>What a project tells the worker.</summary>
/// <param name="Recipes">Full paths of its recipes.</param>
/// <param name="Engine">How the engine works for it.</param>
/// <param name="Identity">Text that is equal for equal settings.</param>
public sealed record SessionSettings(IReadOnlyList<string> Recipes, EngineOptions Engine, string Identity)
{
    static readonly string[] Deciding = ["recipes", "plugins", "properties", "workPath", "cachePath", "cores"];

    /// <summary>Reads the settings from a request's parameters.</summary>
    public static SessionSettings Read(JsonElement parameters)
    {
        var cache = Text(parameters, "cachePath");
        var cores = parameters.TryGetProperty("cores", out var number) ? number.GetInt32() : 0;
        var engine = new EngineOptions
        {
            WorkPath = Text(parameters, "workPath"),
            CachePath = cache.Length > 0 ? cache : UserFolders.Cache,
            PluginPaths = [.. BuiltInPlugins(), .. Texts(parameters, "plugins")],
            Properties = parameters.TryGetProperty("properties", out var properties)
                ? properties.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? "", StringComparer.Ordinal)
                : [],
        };
        return new SessionSettings(
            Texts(parameters, "recipes"),
            cores > 0 ? engine with { Cores = cores } : engine,
            string.Join('\n', Deciding.Select(name => parameters.TryGetProperty(name, out var value) ? value.GetRawText() : "")));
    }

    /// <summary>The assemblies <c>plugins/Name/Name.dll</c> beside this program, in ordinal order.</summary>
    public static IReadOnlyList<string> BuiltInPlugins() => [.. PluginSet.Find(Path.Combine(AppContext.BaseDirectory, "plugins"))];

    static string Text(JsonElement parameters, string name) =>
        parameters.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";

    static string[] Texts(JsonElement parameters, string name) =>
        parameters.TryGetProperty(name, out var values) ? [.. values.EnumerateArray().Select(v => v.GetString() ?? "")] : [];
}
