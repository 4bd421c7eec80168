using System.Diagnostics;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Locking;

/// <summary>
/// Waits until no other build uses the work folder and keeps it until <see cref="UnlockWorkFolder"/> or the end of the build: from the plan
/// to the last step a build sees a folder that nobody else changes.
/// </summary>
public sealed class LockWorkFolder : Task, ICancelableTask, IDisposable
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    readonly CancellationTokenSource cancellation = new();

    /// <summary>Full path of the work folder.</summary>
    [Required]
    public string WorkPath { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        var held = WorkFolderLock.TryTake(WorkPath) ?? Wait();
        if (held is null)
            return false;
        BuildEngine4.RegisterTaskObject(WorkFolderLock.KeyOf(WorkPath), held, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: false);
        return true;
    }

    /// <inheritdoc/>
    public void Cancel() => cancellation.Cancel();

    /// <inheritdoc/>
    public void Dispose() => cancellation.Dispose();

    WorkFolderLock? Wait()
    {
        // The holder may be another project of this very node: let it go on.
        BuildEngine3.Yield();
        try
        {
            var waiting = Stopwatch.StartNew();
            var told = false;
            while (!cancellation.Token.WaitHandle.WaitOne(Interval))
            {
                if (WorkFolderLock.TryTake(WorkPath) is { } taken)
                    return taken;
                if (!told && waiting.Elapsed > Patience)
                {
                    Log.LogMessage(MessageImportance.High, "Build.ML: waiting for another build that uses {0}", WorkPath);
                    told = true;
                }
            }
            Log.LogError(null, "BML7003", null, null, 0, 0, 0, 0,
                "The build was cancelled while it waited for another build that uses {0}. End that build, or wait for it, and build again.", WorkPath);
            return null;
        }
        finally
        {
            BuildEngine3.Reacquire();
        }
    }
}
