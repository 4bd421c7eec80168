using Build.ML.Tasks.Json;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace Build.ML.Tasks.Workers;

/// <summary>A task that asks the worker: starts it once a build and node, turns its events into build events, cancels it with the build.</summary>
public abstract class WorkerTask : Task, ICancelableTask, IDisposable
{
    readonly CancellationTokenSource cancellation = new();

    /// <summary>Full path of the <c>dotnet</c> that runs the worker; where empty, the environment's, else the PATH's.</summary>
    public string DotNetHost { get; set; } = "";

    /// <inheritdoc/>
    public void Cancel() => cancellation.Cancel();

    /// <inheritdoc/>
    public void Dispose()
    {
        cancellation.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Calls the worker; every diagnostic becomes a build error or warning.</summary>
    /// <returns>The result; null after an error, which is logged.</returns>
    protected JsonObject? Call(string workerPath, string method, JsonObject parameters)
    {
        try
        {
            var reply = Worker(workerPath).Call(
                method, parameters, OnEvent, line => Log.LogMessage(MessageImportance.Low, "{0}", line), cancellation.Token);
            if (!reply.ContainsKey("error"))
                return reply.Object("result");
            foreach (var diagnostic in reply.Object("error").Objects("diagnostics"))
                LogDiagnostic(diagnostic);
            if (!Log.HasLoggedErrors)
                LogError("BML7004", $"The worker {workerPath} replied to '{method}' with an error that names no reason. It is of another version than {GetType().Assembly.Location}: restore the package Build.ML again.");
            return null;
        }
        catch (WorkerException e)
        {
            LogError(e.Code, e.Message);
            return null;
        }
        catch (OperationCanceledException)
        {
            LogError("BML7010", $"Cancelled while the worker did '{method}'. Build again to go on; what was done stays done.");
            return null;
        }
    }

    /// <summary>An event of a request that is no diagnostic and no message.</summary>
    protected virtual void OnProgress(JsonObject progress)
    {
    }

    /// <summary>Logs an error that belongs to no file.</summary>
    protected void LogError(string code, string message) => Log.LogError(null, code, null, null, 0, 0, 0, 0, "{0}", message);

    void OnEvent(JsonObject e)
    {
        switch (e.Text("event"))
        {
            case "diagnostic": LogDiagnostic(e); break;
            case "message": Log.LogMessage(e.Flag("important") ? MessageImportance.High : MessageImportance.Low, "{0}", e.Text("text")); break;
            case "progress": OnProgress(e); break;
        }
    }

    void LogDiagnostic(JsonObject diagnostic)
    {
        var (code, message, file) = (diagnostic.Text("code"), diagnostic.Text("message"), diagnostic.Text("file"));
        var (line, column) = ((int)diagnostic.Number("line"), (int)diagnostic.Number("column"));
        switch (diagnostic.Text("severity"))
        {
            case "info": Log.LogMessage(null, code, null, file, line, column, 0, 0, MessageImportance.Normal, "{0}", message); break;
            case "warning": Log.LogWarning(null, code, null, file, line, column, 0, 0, "{0}", message); break;
            default: Log.LogError(null, code, null, file, line, column, 0, 0, "{0}", message); break;
        }
    }

    // Registered for the build's life: MSBuild disposes it when the build ends, on every node and with node reuse too.
    WorkerProcess Worker(string workerPath)
    {
        var key = "Build.ML.Worker|" + workerPath;
        if (BuildEngine4.GetRegisteredTaskObject(key, RegisteredTaskObjectLifetime.Build) is WorkerProcess running)
        {
            if (running.IsAlive)
                return running;
            BuildEngine4.UnregisterTaskObject(key, RegisteredTaskObjectLifetime.Build);
            running.Dispose();
        }
        var started = WorkerProcess.Start(workerPath, Host());
        BuildEngine4.RegisterTaskObject(key, started, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: false);
        Log.LogMessage(MessageImportance.Low, "Build.ML: started worker {0} (process {1})", workerPath, started.ProcessId);
        return started;
    }

    string Host()
    {
        if (DotNetHost.Length > 0)
            return DotNetHost;
        return Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet";
    }
}
