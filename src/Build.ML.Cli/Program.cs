using System.Runtime.InteropServices;
using Build.ML.Cli;

// Ctrl-C and SIGTERM stop at once: what is on disk is whole at any moment. A native call that does not look at the token is not waited for.
var grace = TimeSpan.FromSeconds(2);
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
var context = CliContext.OfProcess();
var run = Task.Run(() => CommandLine.Run(args, context, stop.Token));
var stopped = new TaskCompletionSource();
using var registration = stop.Token.Register(stopped.SetResult);
await Task.WhenAny(run, stopped.Task);
await Task.WhenAny(run, Task.Delay(stopped.Task.IsCompleted ? grace : Timeout.InfiniteTimeSpan));
return run.IsCompleted ? await run : ExitCodes.Interrupted;

void Stop(PosixSignalContext signal)
{
    // The second signal does what it does to any program.
    signal.Cancel = !stop.IsCancellationRequested;
    _ = stop.CancelAsync();
}
