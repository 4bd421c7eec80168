using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Build.ML.Tasks.Json;

namespace Build.ML.Tasks.Workers;

/// <summary>
/// The process that loads plugins and native code, started when first needed and kept for the rest of the build: one JSON object a line on
/// its stdin and stdout. Several requests may be under way.
/// </summary>
public sealed class WorkerProcess : IDisposable
{
    static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(5);
    static readonly TimeSpan ShutdownGrace = TimeSpan.FromSeconds(2);
    const int KeptErrorLines = 20;

    readonly Process process;
    readonly StreamWriter requests;
    readonly ConcurrentDictionary<long, BlockingCollection<JsonObject>> replies = new();
    readonly ConcurrentQueue<string> untoldLines = new();
    readonly ConcurrentQueue<string> lastLines = new();
    readonly TaskCompletionSource<bool> errorsEnded = new();
    readonly object writing = new();
    long lastId;

    WorkerProcess(Process process)
    {
        this.process = process;
        // Process.StandardInput would write the console's encoding and, on the .NET Framework, a byte order mark.
        requests = new StreamWriter(process.StandardInput.BaseStream, new UTF8Encoding(false)) { AutoFlush = true, NewLine = "\n" };
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null)
                errorsEnded.TrySetResult(true);
            else
                Keep(line.Data);
        };
        process.BeginErrorReadLine();
        new Thread(ReadReplies) { IsBackground = true, Name = "Build.ML worker replies" }.Start();
    }

    /// <summary>Whether the process can take requests.</summary>
    public bool IsAlive => !process.HasExited;

    /// <summary>Process id, for the log.</summary>
    public int ProcessId => process.Id;

    /// <summary>Starts a worker.</summary>
    /// <param name="workerPath">Full path of the worker: a .dll, run by <paramref name="host"/>, or an executable.</param>
    /// <param name="host">The <c>dotnet</c> that runs a .dll.</param>
    /// <exception cref="WorkerException">It cannot be started.</exception>
    public static WorkerProcess Start(string workerPath, string host)
    {
        if (!File.Exists(workerPath))
            throw new WorkerException("BML7001",
                $"The worker {workerPath} does not exist. Restore the package Build.ML again, or correct the property BuildMLWorkerPath.");
        var isAssembly = workerPath.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        using var self = Process.GetCurrentProcess();
        var start = new ProcessStartInfo
        {
            FileName = isAssembly ? host : workerPath,
            Arguments = (isAssembly ? $"exec \"{workerPath}\" " : "") + "--parent " + self.Id.ToString(CultureInfo.InvariantCulture),
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        try
        {
            return new WorkerProcess(Process.Start(start)!);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            throw new WorkerException("BML7001",
                $"The worker could not be started: '{start.FileName} {start.Arguments}': {e.Message}. Install the .NET 10 runtime, or put dotnet on the PATH.");
        }
    }

    /// <summary>Sends a request and waits for its end.</summary>
    /// <param name="method">Name of the method.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="onEvent">Called on this thread for each event of the request.</param>
    /// <param name="onErrorText">Called on this thread for each line that the worker wrote to stderr.</param>
    /// <param name="cancellation">Asks the worker to stop; ends the worker where it does not within a grace time.</param>
    /// <returns>The last reply: it has a member <c>result</c> or <c>error</c>.</returns>
    /// <exception cref="WorkerException">The worker ended before it replied.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public JsonObject Call(
        string method, JsonObject parameters, Action<JsonObject> onEvent, Action<string> onErrorText, CancellationToken cancellation)
    {
        var id = Interlocked.Increment(ref lastId);
        using var inbox = new BlockingCollection<JsonObject>();
        replies[id] = inbox;
        try
        {
            Send(new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters });
            while (true)
            {
                var reply = Next(inbox, id, cancellation);
                while (untoldLines.TryDequeue(out var line))
                    onErrorText(line);
                if (reply.ContainsKey("result") || reply.ContainsKey("error"))
                    return reply;
                onEvent(reply);
            }
        }
        finally
        {
            replies.TryRemove(id, out _);
        }
    }

    /// <summary>Asks the worker to end, then ends it.</summary>
    public void Dispose()
    {
        try
        {
            if (!process.HasExited)
            {
                Send(new JsonObject { ["id"] = Interlocked.Increment(ref lastId), ["method"] = "shutdown" });
                requests.Dispose();
                if (!process.WaitForExit((int)ShutdownGrace.TotalMilliseconds))
                    process.Kill();
            }
        }
        catch (Exception e) when (e is WorkerException or IOException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It ended by itself in the meantime, which is what was wanted.
        }
        process.Dispose();
    }

    JsonObject Next(BlockingCollection<JsonObject> inbox, long id, CancellationToken cancellation)
    {
        try
        {
            return inbox.Take(cancellation);
        }
        catch (OperationCanceledException)
        {
            Stop(inbox, id);
            throw;
        }
        catch (InvalidOperationException)
        {
            throw Ended();
        }
    }

    void Stop(BlockingCollection<JsonObject> inbox, long id)
    {
        Send(new JsonObject { ["id"] = id, ["method"] = "cancel" });
        var waiting = Stopwatch.StartNew();
        for (var left = CancelGrace; left > TimeSpan.Zero; left = CancelGrace - waiting.Elapsed)
        {
            if (!inbox.TryTake(out var reply, left))
                break; // no reply in time, or none to come
            if (reply.ContainsKey("result") || reply.ContainsKey("error"))
                return;
        }
        if (!process.HasExited)
            process.Kill();
    }

    void Send(JsonObject request)
    {
        try
        {
            lock (writing)
                requests.WriteLine(JsonText.Write(request));
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw Ended();
        }
    }

    void ReadReplies()
    {
        try
        {
            while (process.StandardOutput.ReadLine() is { } line)
                if (Parse(line) is { } reply && replies.TryGetValue(reply.Number("id"), out var inbox))
                    inbox.Add(reply);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The process ended, or the request that the reply belongs to was given up.
        }
        foreach (var inbox in replies.Values)
            inbox.CompleteAdding();
    }

    // A native library may write to stdout past the worker: its text goes where stderr's goes.
    JsonObject? Parse(string line)
    {
        try
        {
            return JsonText.ParseObject(line);
        }
        catch (FormatException)
        {
            Keep(line);
            return null;
        }
    }

    void Keep(string line)
    {
        untoldLines.Enqueue(line);
        lastLines.Enqueue(line);
        if (lastLines.Count > KeptErrorLines)
            lastLines.TryDequeue(out _);
    }

    WorkerException Ended()
    {
        // A wait with a limit does not wait for stderr's last lines, which say why it ended.
        if (process.WaitForExit((int)ShutdownGrace.TotalMilliseconds))
            errorsEnded.Task.Wait(ShutdownGrace);
        var code = process.HasExited ? process.ExitCode.ToString(CultureInfo.InvariantCulture) : "none yet";
        var text = string.Join(Environment.NewLine, lastLines);
        return new WorkerException("BML7002",
            $"The worker (process {ProcessId}) ended before its work was done, exit code {code}. Results of earlier builds are unharmed. "
            + (text.Length == 0 ? "It wrote nothing to stderr." : "Its last lines on stderr:" + Environment.NewLine + text));
    }
}
