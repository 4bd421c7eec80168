using System.Runtime.ExceptionServices;

namespace Build.ML.Calibration;

/// <summary>Loops over several threads, whose errors come out as they were thrown.</summary>
internal static class Workers
{
    /// <summary>Calls <paramref name="body"/> for 0 to <paramref name="count"/> − 1.</summary>
    /// <param name="count">How often.</param>
    /// <param name="threads">Threads at most.</param>
    /// <param name="body">Independent of order.</param>
    public static void For(int count, int threads, Action<int> body)
    {
        if (count <= 1 || threads <= 1)
        {
            for (var i = 0; i < count; i++)
            {
                body(i);
            }

            return;
        }

        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, body);
        }
        catch (AggregateException e) when (e.InnerException is not null)
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
        }
    }
}
