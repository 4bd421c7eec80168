using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Locking;

/// <summary>Gives the work folder that <see cref="LockWorkFolder"/> took to the next build.</summary>
public sealed class UnlockWorkFolder : Task
{
    /// <summary>Full path of the work folder.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        (BuildEngine4.UnregisterTaskObject(WorkFolderLock.KeyOf(WorkPath), RegisteredTaskObjectLifetime.Build) as IDisposable)?.Dispose();
        return true;
    }
}
