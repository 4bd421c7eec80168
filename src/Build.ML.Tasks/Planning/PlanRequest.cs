using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Planning;

/// <summary>Everything that the project tells the worker: which recipes, with which plugins and properties, where.</summary>
public sealed class PlanRequest
{
    /// <summary>Full paths of the recipes.</summary>
    public string[] Recipes { get; set; } = [];

    /// <summary>Full paths of the plugin assemblies.</summary>
    public string[] Plugins { get; set; } = [];

    /// <summary>Values of <c>${Name}</c> in recipes.</summary>
    public SortedDictionary<string, string> Properties { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Full path of the folder that item directories go into.</summary>
    public string WorkPath { get; set; } = "";

    /// <summary>Full path of the artifact cache; empty for the worker's default.</summary>
    public string CachePath { get; set; } = "";

    /// <summary>Full path of the worker.</summary>
    public string WorkerPath { get; set; } = "";

    /// <summary>Cores that running items share; 0 for the machine's. Does not decide what a plan holds.</summary>
    public int Cores { get; set; }

    /// <summary>The request as one object, for the worker and the record.</summary>
    public JsonObject ToJson()
    {
        var properties = new JsonObject();
        foreach (var property in Properties)
            properties[property.Key] = property.Value;
        return new JsonObject
        {
            ["recipes"] = Recipes,
            ["plugins"] = Plugins,
            ["properties"] = properties,
            ["workPath"] = WorkPath,
            ["cachePath"] = CachePath,
            ["workerPath"] = WorkerPath,
        };
    }
}
