using Build.ML.Tasks.Planning;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Outputs;

/// <summary>Lists the project's files that the last plan was made from: recipes, models and data, for <c>dotnet watch</c>.</summary>
public sealed class ReadWatchedFiles : Task
{
    /// <summary>Full path of the work folder.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <summary>Only files below this folder: tools and packages elsewhere are not edited.</summary>
    [Required]
    public string Root { get; set; } = "";

    /// <summary>Full paths.</summary>
    [Output]
    public ITaskItem[] Files { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var root = Root.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar;
        Files = [.. (PlanRecord.TryRead(WorkPath)?.Inputs ?? [])
            .Where(i => !i.IsFolder && i.Path.StartsWith(root, StringComparison.Ordinal))
            .Select(i => new TaskItem(i.Path))];
        return true;
    }
}
