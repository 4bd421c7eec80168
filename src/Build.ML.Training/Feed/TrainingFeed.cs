using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Build.ML.Abstractions.Data;

namespace Build.ML.Training.Feed;

/// <summary>
/// An endless, deterministic stream of batches of exactly one size. An epoch has ⌈samples / batch size⌉ batches and every sample once; only
/// what the last batch lacks is filled with samples of
/// the same epoch a second time, augmented anew. Order and augmentation depend on (seed, epoch, sample) alone, so resuming is asking for a
/// later step. While one batch is being trained
/// on, the next is read on a second thread into the other of two sets of buffers; data of any size is read as it is needed.
/// </summary>
/// <remarks>For one thread that takes.</remarks>
public sealed class TrainingFeed : IDisposable
{
    private readonly Lock _gate = new();
    private readonly BatchReader _reader;
    private readonly CancellationTokenSource _stop = new();
    private readonly Slot[] _slots;
    private readonly SemaphoreSlim _filled = new(0);
    private readonly SemaphoreSlim _freed = new(0);
    private Thread? _thread;
    private Slot? _taken;
    private ExceptionDispatchInfo? _error;
    private long _nextToRead;
    private bool _disposed;

    /// <summary>Looks at the first sample; with buckets at all of them, to learn their sizes.</summary>
    /// <param name="data">The samples; read from another thread.</param>
    /// <param name="options">How they become batches.</param>
    /// <param name="cancellation">Stops looking at the samples.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">
    /// BML6080 no samples, BML6081 samples of different shapes, BML6082 an input without batch dimension in larger batches, BML6083 an
    /// input that is no numbers, BML6084 an augmentation of
    /// what is no image, BML6085 padding of an input that is not there; and what reading throws.
    /// </exception>
    public TrainingFeed(DataSet data, FeedOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.ShuffleWindow);
        _reader = new BatchReader(data, options, cancellation);
        _slots = [new(new(options.BatchSize, Shapes.Length)), new(new(options.BatchSize, Shapes.Length))];
    }

    /// <summary>Batches of an epoch.</summary>
    public long StepsPerEpoch => _reader.StepsPerEpoch;

    /// <summary>
    /// Time that takers waited for a batch to be read, the first one aside, which nothing could hide: where it is a good part of all time,
    /// reading limits training.
    /// </summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Every shape of sample that a batch may have: one, but for buckets.</summary>
    public ImmutableArray<FeedShape> Shapes => _reader.Shapes;

    /// <summary>
    /// The batch of a step. Steps in order are read ahead; any other is read when asked for. The batch before is given back: its buffers
    /// will be filled again.
    /// </summary>
    /// <param name="step">0 or more; step / <see cref="StepsPerEpoch"/> is the epoch.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6081 a sample of another shape; and whatever reading a sample throws,
    /// with its stack.</exception>
    /// <exception cref="OperationCanceledException">Waiting was stopped; the feed can go on.</exception>
    public FeedBatch Take(long step, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        GiveBack(step);
        if (_thread is null)
        {
            _thread = new Thread(ReadAhead) { IsBackground = true, Name = "training feed" };
            _thread.Start();
            return Await(step, cancellation);
        }

        var start = Stopwatch.GetTimestamp();
        var batch = Await(step, cancellation);
        Waited += Stopwatch.GetElapsedTime(start);
        return batch;
    }

    /// <summary>Stops reading and frees the buffers, also of the batch last taken.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stop.Cancel();
        _thread?.Join();
        foreach (var slot in _slots)
        {
            slot.Buffers.Dispose();
        }

        _stop.Dispose();
        _filled.Dispose();
        _freed.Dispose();
    }

    private FeedBatch Await(long step, CancellationToken cancellation)
    {
        while (true)
        {
            lock (_gate)
            {
                foreach (var slot in _slots)
                {
                    if (slot.State == SlotState.Filled && slot.Step == step)
                    {
                        slot.State = SlotState.Taken;
                        _taken = slot;
                        return slot.Batch!;
                    }
                }

                _error?.Throw();
            }

            _filled.Wait(cancellation);
        }
    }

    // The batch taken before is free, and so is what was read ahead and is not wanted any more.
    private void GiveBack(long step)
    {
        lock (_gate)
        {
            if (_taken is { } taken)
            {
                _taken = null;
                Free(taken);
            }

            var comes = _nextToRead == step;
            foreach (var slot in _slots)
            {
                comes |= slot.State is SlotState.Filled or SlotState.Filling && slot.Step == step;
            }

            if (!comes)
            {
                _nextToRead = step;
            }

            foreach (var slot in _slots)
            {
                if (comes && slot.Step >= step)
                {
                    continue;
                }

                slot.Step = -1; // what is being filled is thrown away when it is done
                if (slot.State == SlotState.Filled)
                {
                    Free(slot);
                }
            }
        }
    }

    private void Free(Slot slot)
    {
        slot.State = SlotState.Free;
        slot.Batch = null;
        _freed.Release();
    }

    private void ReadAhead()
    {
        try
        {
            while (true)
            {
                var slot = NextSlot();
                if (slot is null)
                {
                    _freed.Wait(_stop.Token);
                    continue;
                }

                var batch = _reader.Read(slot.Step, slot.Buffers, _stop.Token);
                lock (_gate)
                {
                    if (slot.Step == batch.Step)
                    {
                        (slot.Batch, slot.State) = (batch, SlotState.Filled);
                    }
                    else
                    {
                        slot.State = SlotState.Free;
                    }
                }

                _filled.Release();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposal ends the thread.
        }
        catch (Exception e) // rethrown to who takes the next batch
        {
            lock (_gate)
            {
                _error = ExceptionDispatchInfo.Capture(e);
            }

            _filled.Release();
        }
    }

    private Slot? NextSlot()
    {
        lock (_gate)
        {
            foreach (var slot in _slots)
            {
                if (slot.State == SlotState.Free)
                {
                    (slot.State, slot.Step) = (SlotState.Filling, _nextToRead++);
                    return slot;
                }
            }

            return null;
        }
    }

    private enum SlotState
    {
        Free,
        Filling,
        Filled,
        Taken,
    }

    private sealed class Slot(BatchBuffers buffers)
    {
        public BatchBuffers Buffers { get; } = buffers;

        public SlotState State { get; set; }

        public long Step { get; set; } = -1;

        public FeedBatch? Batch { get; set; }
    }
}
