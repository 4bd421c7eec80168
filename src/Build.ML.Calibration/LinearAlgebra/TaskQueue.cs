using System.Runtime.ExceptionServices;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>Hands tasks in ascending order to whichever thread is free.</summary>
public static class TaskQueue
{
    /// <summary>Runs all tasks.</summary>
    /// <typeparam name="T">What a thread keeps between its tasks, such as buffers.</typeparam>
    /// <param name="count">Number of tasks.</param>
    /// <param name="threads">Threads at most.</param>
    /// <param name="create">Makes a thread's own.</param>
    /// <param name="run">Runs one task.</param>
    /// <param name="cancellation">Stops between tasks.</param>
    public static void Run<T>(int count, int threads, Func<T> create, Action<T, int> run, CancellationToken cancellation = default)
        where T : IDisposable
    {
        threads = Math.Clamp(threads, 1, Math.Max(count, 1));
        var next = -1;
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, _ =>
            {
                using var own = create();
                for (int task; (task = Interlocked.Increment(ref next)) < count;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    run(own, task);
                }
            });
        }
        catch (AggregateException e) when (e.InnerException is not null)
        {
            ExceptionDispatchInfo.Throw(e.InnerException); // what one thread met, as it was
        }
    }
}
