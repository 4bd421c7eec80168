using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Build.ML.Graph.Diagnostics;
using Build.ML.Worker.Protocol;

namespace Build.ML.Worker;

/// <summary>
/// Reads requests, one JSON object a line, does each on its own thread and writes its events and its end. Ends when its input ends, when the
/// process that started it ends (a copy of the pipe may live on in another child of it), on SIGTERM, or when asked to.
/// </summary>
/// <param name="input">Requests.</param>
/// <param name="output">Replies.</param>
public sealed class RequestServer(Stream input, Stream output) : IDisposable
{
    // Long enough for a step to see the cancellation between two batches; whatever still runs then ends with the process.
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    readonly ReplyWriter replies = new(output);
    readonly SessionPool sessions = new();
    readonly ConcurrentDictionary<long, CancellationTokenSource> running = new();
    readonly CancellationTokenSource stopping = new();
    readonly TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CountdownEvent unfinished = new(1);

    /// <summary>Serves until there is a reason to end.</summary>
    /// <param name="parentId">Process to end with; null for none.</param>
    /// <returns>The process's exit code.</returns>
    public int Serve(int? parentId)
    {
        // A terminal's Ctrl-C reaches the whole process group: the build decides what is cancelled, and says so.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.TrySetResult();
        });
        StartThread(ReadRequests, "requests");
        if (parentId is { } id)
            StartThread(() => AwaitExit(id), "parent watch");

        stop.Task.Wait();
        stopping.Cancel();
        unfinished.Signal();
        return unfinished.Wait(Grace) ? 0 : 1;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // A thread that did not end in time may still use the rest: the process ends right after this.
        if (!unfinished.IsSet)
            return;
        sessions.Dispose();
        stopping.Dispose();
        unfinished.Dispose();
    }

    void ReadRequests()
    {
        try
        {
            using var reader = new StreamReader(input);
            while (reader.ReadLine() is { } line)
                if (line.Length > 0 && !Dispatch(Request.Parse(line)))
                    break;
        }
        catch (Exception e) when (e is IOException or JsonException or ObjectDisposedException)
        {
            Console.Error.WriteLine($"Ending, because the requests cannot be read: {e.Message}");
        }
        stop.TrySetResult();
    }

    bool Dispatch(Request request)
    {
        switch (request.Method)
        {
            case "shutdown":
                return false;
            case "cancel":
                if (running.TryGetValue(request.Id, out var source))
                    source.Cancel();
                return true;
            default:
                var cancellation = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
                running[request.Id] = cancellation;
                unfinished.AddCount();
                StartThread(() => Do(request, cancellation), $"request {request.Id}");
                return true;
        }
    }

    void Do(Request request, CancellationTokenSource cancellation)
    {
        try
        {
            replies.Result(request.Id, request.Method switch
            {
                "plan" => sessions.For(request.Parameters).Plan(request, replies, cancellation.Token),
                "run" => sessions.For(request.Parameters).Run(request, replies, cancellation.Token),
                _ => throw new DiagnosticException("BML7004",
                    $"The worker has no method '{request.Method}', expected plan, run, cancel or shutdown. The build's tasks are of another version than the worker: restore the package Build.ML again."),
            });
        }
        catch (DiagnosticException e)
        {
            replies.Error(request.Id, e.Diagnostics);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            replies.Error(request.Id, [new Diagnostic("BML7010", "Cancelled. Build again to go on; what was done stays done.")]);
        }
        catch (Exception e) // at the process's boundary a bug becomes an error of the build, with its stack trace
        {
            replies.Error(request.Id, [new Diagnostic("BML9001", $"This is a bug in Build.ML or in a plugin; please report it with this text: {e}")]);
        }
        finally
        {
            running.TryRemove(request.Id, out _);
            cancellation.Dispose();
            unfinished.Signal();
        }
    }

    void AwaitExit(int parentId)
    {
        try
        {
            using var parent = Process.GetProcessById(parentId);
            parent.WaitForExit();
        }
        catch (ArgumentException)
        {
            // It is gone already.
        }
        stop.TrySetResult();
    }

    static void StartThread(ThreadStart work, string name) =>
        new Thread(work) { IsBackground = true, Name = name }.Start();
}
