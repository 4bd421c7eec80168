using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Planning;

/// <summary>One unit of work of a plan as the worker describes it: a source, a step, an evaluation, an output or a report.</summary>
public sealed class PlannedItem
{
    /// <summary>Reads an item from the worker's plan or from a record.</summary>
    public PlannedItem(JsonObject json)
    {
        Json = json;
        Id = json.Text("id");
        Recipe = json.Text("recipe");
        Kind = json.Text("kind");
        Technique = json.Text("technique");
        Needs = json.Texts("needs");
        Key = json.Text("key");
        Directory = json.Text("directory");
        KeyFile = json.Text("keyFile");
        ContentFile = json.Text("contentFile");
        StampFile = json.Text("stampFile");
        Files = json.Texts("files");
    }

    /// <summary>The item as it was read, to be written to the record.</summary>
    public JsonObject Json { get; }

    /// <summary><c>recipe/name</c>, unique in a plan; the name of the MSBuild target.</summary>
    public string Id { get; }

    /// <summary>Name of the recipe.</summary>
    public string Recipe { get; }

    /// <summary><c>source</c>, <c>step</c>, <c>evaluate</c>, <c>report</c> or <c>output</c>.</summary>
    public string Kind { get; }

    /// <summary>The technique of a step; empty for other kinds.</summary>
    public string Technique { get; }

    /// <summary>Ids of the items whose results this one reads.</summary>
    public string[] Needs { get; }

    /// <summary>Hash of the item's own definition.</summary>
    public string Key { get; }

    /// <summary>Full path of the item's directory.</summary>
    public string Directory { get; }

    /// <summary>Full path of the file that holds <see cref="Key"/>.</summary>
    public string KeyFile { get; }

    /// <summary>Full path of the file that holds the hash of what the item yielded.</summary>
    public string ContentFile { get; }

    /// <summary>Full path of the file that is written last.</summary>
    public string StampFile { get; }

    /// <summary>Full paths of the files that the item is sure to write.</summary>
    public string[] Files { get; }

    /// <summary>Whether the item places a recipe's outputs.</summary>
    public bool IsOutput => Kind == "output";
}
