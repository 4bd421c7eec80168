using Build.ML.Tasks.Locking;
using Build.ML.Tasks.Planning;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Outputs;

/// <summary>Deletes what builds have left in a work folder: what the record lists and what the engine keeps for itself, nothing else. The cache keeps its artifacts.</summary>
public sealed class CleanWorkFolder : Task
{
    /// <summary>Full path of the work folder.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        if (!Directory.Exists(WorkPath))
            return true;
        foreach (var item in PlanRecord.TryRead(WorkPath)?.Items ?? [])
            ItemFiles.Delete(item, WorkPath);
        foreach (var name in new[] { StepProject.FileName, PlanRecord.FileName })
            File.Delete(Path.Combine(WorkPath, name));
        foreach (var name in new[] { ".hashes", ".tmp", ".files", WorkFolderLock.FileName }) // the engine's and the lock
            ItemFiles.DeleteEntry(Path.Combine(WorkPath, name));
        if (!Directory.EnumerateFileSystemEntries(WorkPath).Any())
            Directory.Delete(WorkPath);
        return true;
    }
}
