namespace Build.ML.Engine.Running;

/// <summary>The cores that all running items share. First come, first served, so that an item that wants to be alone is not overtaken for ever.</summary>
internal sealed class CoreBudget(int cores)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiting> _queue = [];
    private int _free = Math.Max(1, cores);

    public int Cores { get; } = Math.Max(1, cores);

    /// <summary>Waits for cores.</summary>
    /// <param name="wanted">How many the item can use; it may get fewer, but at least one.</param>
    /// <param name="alone">Whether nothing else may run meanwhile; then it gets all.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public Lease Take(int wanted, bool alone, CancellationToken cancellation)
    {
        var waiting = new Waiting(Math.Clamp(wanted, 1, Cores), alone);
        lock (_lock)
        {
            _queue.AddLast(waiting);
            Serve();
        }

        using (cancellation.Register(() => waiting.Source.TrySetCanceled(cancellation)))
        {
            try
            {
                return new Lease(this, waiting.Source.Task.GetAwaiter().GetResult());
            }
            catch (OperationCanceledException)
            {
                lock (_lock)
                {
                    _queue.Remove(waiting);
                    Serve();
                }

                throw;
            }
        }
    }

    private void Serve()
    {
        while (_queue.First is { Value: var first } && (first.Alone ? _free == Cores : _free > 0))
        {
            _queue.RemoveFirst();
            var given = first.Alone ? Cores : Math.Min(first.Wanted, _free);
            if (first.Source.TrySetResult(given))
            {
                _free -= given;
            }
        }
    }

    private void Return(int given)
    {
        lock (_lock)
        {
            _free += given;
            Serve();
        }
    }

    /// <summary>Cores in use until disposal.</summary>
    public sealed class Lease(CoreBudget budget, int cores) : IDisposable
    {
        private int _cores = cores;

        public int Cores => _cores;

        public void Dispose() => budget.Return(Interlocked.Exchange(ref _cores, 0));
    }

    private sealed class Waiting(int wanted, bool alone)
    {
        public int Wanted => wanted;

        public bool Alone => alone;

        public TaskCompletionSource<int> Source { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
