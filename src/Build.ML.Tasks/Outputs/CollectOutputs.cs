using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Outputs;

/// <summary>Lists the files that recipes have placed as their outputs, each with the path it gets beside the application.</summary>
public sealed class CollectOutputs : Task
{
    /// <summary>The folders that recipes' outputs were placed into.</summary>
    public ITaskItem[] Folders { get; set; } = [];

    /// <summary>Folder of the outputs below the output directory, such as <c>models</c>.</summary>
    public string TargetFolder { get; set; } = "";

    /// <summary>Full paths, with the metadata <c>TargetPath</c>.</summary>
    [Output]
    public ITaskItem[] Outputs { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var outputs = new SortedDictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var folder in Folders)
            foreach (var file in Files(folder.ItemSpec))
            {
                var target = Path.Combine(TargetFolder, file.Substring(folder.ItemSpec.TrimEnd('/', '\\').Length + 1));
                if (outputs.TryGetValue(target, out var other))
                    Log.LogError(null, "BML7008", null, null, 0, 0, 0, 0,
                        "Two recipes name the output '{0}' ({1} and {2}), expected one. Rename it in one of them.", target, other, file);
                outputs[target] = file;
            }
        Outputs = [.. outputs.Select(o => Item(o.Value, o.Key))];
        return !Log.HasLoggedErrors;
    }

    IEnumerable<string> Files(string folder)
    {
        if (Directory.Exists(folder))
            return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories);
        Log.LogError(null, "BML7007", null, null, 0, 0, 0, 0,
            "The outputs in {0} are not built, and this command does not build (--no-build). Build the project first, or leave --no-build out.", folder);
        return [];
    }

    static TaskItem Item(string path, string target)
    {
        var item = new TaskItem(path);
        item.SetMetadata("TargetPath", target);
        return item;
    }
}
