using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Outputs;

/// <summary>Lists the files that recipes have placed as their outputs, each with the path it gets beside the application.</summary>
public sealed class CollectOutputs : Task
{
    const string ExternalData = ".data";

    /// <summary>The planned files, with the metadata <c>Folder</c>, which their names are relative to.</summary>
    public ITaskItem[] Planned { get; set; } = [];

    /// <summary>Folder of the outputs below the output directory, such as <c>models</c>.</summary>
    public string TargetFolder { get; set; } = "";

    /// <summary>Full paths, with the metadata <c>TargetPath</c>.</summary>
    [Output]
    public ITaskItem[] Outputs { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var outputs = new SortedDictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var planned in Planned)
            foreach (var file in Files(planned.ItemSpec))
            {
                var target = Path.Combine(TargetFolder, file.Substring(planned.GetMetadata("Folder").TrimEnd('/', '\\').Length + 1));
                if (outputs.TryGetValue(target, out var other))
                    Log.LogError(null, "BML7008", null, null, 0, 0, 0, 0,
                        "Two recipes name the output '{0}' ({1} and {2}), expected one. Rename it in one of them.", target, other, file);
                outputs[target] = file;
            }
        Outputs = [.. outputs.Select(o => Item(o.Value, o.Key))];
        return !Log.HasLoggedErrors;
    }

    // Whether a model has external data beside it shows when it has been written.
    IEnumerable<string> Files(string planned)
    {
        if (!File.Exists(planned))
            Log.LogError(null, "BML7007", null, null, 0, 0, 0, 0,
                "The output {0} is not built, and this command does not build (--no-build). Build the project first, or leave --no-build out.", planned);
        else
            yield return planned;
        if (File.Exists(planned + ExternalData))
            yield return planned + ExternalData;
    }

    static TaskItem Item(string path, string target)
    {
        var item = new TaskItem(path);
        item.SetMetadata("TargetPath", target);
        return item;
    }
}
