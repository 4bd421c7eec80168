using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Streaming;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration;

/// <summary>
/// Runs a model's main graph once over all batches of data, piece by piece: a range of nodes over all batches, then the next range. Only the weights of one piece and the
/// activations that are still needed exist at a time, so that memory does not grow with the number of layers. Between pieces the nodes that were not run yet, and their
/// initializers, may be edited: they are run as they are then (sequential GPTQ goes on with the quantized weights). Results do not depend on the number of threads.
/// </summary>
public sealed class StreamedExecution : IDisposable
{
    // Nodes of the first piece that returns watched values; fewer where they return too much.
    private const int FirstNodeLimit = 32;

    private readonly Model _model;
    private readonly StepContext _context;
    private readonly ActivationStore _store;
    private readonly HashSet<Node> _done = [];
    private readonly ImmutableArray<Value> _fed;
    private readonly StreamingLimits _limits;
    private int _nodeLimit = FirstNodeLimit;

    /// <summary>Reads the data; runs nothing yet.</summary>
    /// <param name="model">The model; not changed, must outlive this.</param>
    /// <param name="data">At least one sample.</param>
    /// <param name="context">Inference, threads, scratch folder, cancellation.</param>
    /// <param name="batchSize">Samples run together, where the model leaves that free. Default 8.</param>
    /// <exception cref="DiagnosticException">BML5407: no data. BML5430: samples do not fit the model's inputs.</exception>
    public StreamedExecution(Model model, DataSet data, StepContext context, int batchSize = Batching.Default)
        : this(model, data, context, batchSize, StreamingLimits.Default)
    {
    }

    internal StreamedExecution(Model model, DataSet data, StepContext context, int batchSize, StreamingLimits limits)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(context);
        (_model, _context, _limits) = (model, context, limits);
        _store = new ActivationStore(context.ScratchDirectory, limits.Memory);
        try
        {
            (_fed, BatchCount) = InputBatches.Read(model, data, Batching.SizeFor(model, batchSize), _store, context.Cancellation);
        }
        catch
        {
            _store.Dispose();
            throw;
        }
    }

    /// <summary>Number of batches.</summary>
    public int BatchCount { get; }

    /// <summary>Bytes of activations held in memory now.</summary>
    public long ActivationBytes => _store.InMemory;

    /// <summary>Bytes of activations written to files so far.</summary>
    public long SpilledBytes => _store.Spilled;

    /// <summary>Runs all nodes before <paramref name="node"/>, in the order of the graph, that were not run yet; null runs all that is left.</summary>
    /// <param name="node">A node of the main graph.</param>
    /// <exception cref="DiagnosticException">What the runtime has to say against the model.</exception>
    public void AdvanceTo(Node? node) => AdvanceTo(node, [], static (_, _) => { });

    /// <summary>The same, showing activations on the way.</summary>
    /// <param name="node">A node of the main graph, or null for all that is left.</param>
    /// <param name="watched">Values of the main graph that are given by the nodes to run, held now, or constant.</param>
    /// <param name="observe">
    /// Gets each watched value's tensor of each batch: for one value in the order of batches, for several values from several threads at once. The tensor may be read only
    /// during the call.
    /// </param>
    public void AdvanceTo(Node? node, IReadOnlyCollection<Value> watched, Action<Value, Tensor> observe)
    {
        ArgumentNullException.ThrowIfNull(watched);
        ArgumentNullException.ThrowIfNull(observe);
        var wanted = watched.ToHashSet();
        ObserveHeld(wanted, observe);
        var pending = new PendingGraph(_model.Graph, _fed, _done);
        var stop = Stop(_model.Graph, pending, node);
        for (var start = 0; start < stop;)
        {
            var nodeLimit = wanted.Count > 0 ? _nodeLimit : int.MaxValue;
            var piece = pending.Take(start, stop, _limits.PieceWeights, nodeLimit, wanted);
            if (piece.Outputs.Count > 0 && !Run(pending, piece, wanted, observe))
            {
                _nodeLimit = Math.Max(1, Math.Min(nodeLimit, piece.End - start) / 2);
                continue;
            }

            for (; start < piece.End; start++)
            {
                _done.Add(pending.Nodes[start]);
            }

            ReleaseUnneeded(pending, piece.End);
        }
    }

    /// <summary>
    /// A value's tensors, one a batch, in order: a graph input, or what a node that was run gives, as long as a node that was not run yet reads it or the graph returns it. To
    /// be read before the next <see cref="AdvanceTo(Node?)"/>. Element types are the model's; <see cref="FloatView"/> reads any float type.
    /// </summary>
    /// <exception cref="ArgumentException">The value is not held (any more).</exception>
    public IEnumerable<Tensor> Activations(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return _store.TryGet(value, out var batches) ? batches.Select(b => b!)
            : throw new ArgumentException($"Activation '{value.Name}' is not held: no node that was run gives it, or no node that was not run reads it.", nameof(value));
    }

    /// <summary>Lets go of all activations and deletes their files.</summary>
    public void Dispose() => _store.Dispose();

    private static int Stop(OnnxGraph graph, PendingGraph pending, Node? node)
    {
        if (node is null)
        {
            return pending.Nodes.Count;
        }

        // The node itself may not depend on data, or have been run: the first pending one at or after it then.
        var index = new Dictionary<Node, int>();
        for (var i = 0; i < pending.Nodes.Count; i++)
        {
            index.Add(pending.Nodes[i], i);
        }

        if (!graph.Nodes.Contains(node))
        {
            throw new ArgumentException($"{node.DisplayName} is no node of the model's main graph (any more).", nameof(node));
        }

        for (var next = node; next is not null; next = next.Next)
        {
            if (index.TryGetValue(next, out var stop))
            {
                return stop;
            }
        }

        return pending.Nodes.Count;
    }

    private void ObserveHeld(HashSet<Value> wanted, Action<Value, Tensor> observe)
    {
        var held = wanted.Where(_store.Has).ToArray();
        Workers.For(held.Length, _context.Threads, i =>
        {
            foreach (var tensor in Activations(held[i]))
            {
                observe(held[i], tensor);
            }
        });
        wanted.ExceptWith(held);
    }

    // False, with nothing done, when the piece returns too much for one batch and could be shorter.
    private bool Run(PendingGraph pending, GraphPiece piece, HashSet<Value> wanted, Action<Value, Tensor> observe)
    {
        using var model = _model.Extract(piece.Nodes, [.. piece.Inputs.Select(v => new KeyValuePair<Value, OnnxType?>(v, TypeOf(v)))], piece.Outputs);
        var workers = piece.WeightBytes > _limits.SharedWeights ? 1 : Math.Clamp(_context.Threads, 1, BatchCount);
        var sessions = new IInferenceSession?[workers];
        try
        {
            var options = new InferenceOptions { Threads = workers == 1 ? Math.Max(_context.Threads, 1) : 1 };
            Workers.For(workers, workers, w => sessions[w] = _context.Inference.Open(model, options));
            var results = new ImmutableArray<Tensor>[workers];
            var byName = sessions[0]!.Outputs.Select((name, i) => (name, i)).ToDictionary(o => o.name, o => o.i);
            for (var first = 0; first < BatchCount; first += workers)
            {
                var count = Math.Min(workers, BatchCount - first);
                Workers.For(count, count, w =>
                {
                    _context.Cancellation.ThrowIfCancellationRequested();
                    results[w] = sessions[w]!.Run(Feeds(piece, first + w));
                });
                if (first == 0 && piece.Nodes.Count > 1 && wanted.Count > 0 && results[0].Sum(t => t.ByteLength) > _limits.Returned)
                {
                    return false;
                }

                Observe(piece, results.AsMemory(0, count), byName, wanted, observe);
                Keep(pending, piece, first, results.AsSpan(0, count), byName);
            }
        }
        finally
        {
            foreach (var session in sessions)
            {
                session?.Dispose();
            }

            if (piece.WeightBytes > _limits.SharedWeights)
            {
                // A copy of the weights was handed to the runtime; the collector would let several such copies gather before it looks.
                GC.Collect();
            }
        }

        wanted.ExceptWith(piece.Outputs);
        return true;
    }

    private void Observe(
        GraphPiece piece, ReadOnlyMemory<ImmutableArray<Tensor>> results, Dictionary<string, int> byName, HashSet<Value> wanted, Action<Value, Tensor> observe)
    {
        var watched = piece.Outputs.Where(wanted.Contains).ToArray();
        Workers.For(watched.Length, _context.Threads, i =>
        {
            foreach (var result in results.Span)
            {
                observe(watched[i], result[byName[watched[i].Name]]);
            }
        });
    }

    private void Keep(PendingGraph pending, GraphPiece piece, int first, ReadOnlySpan<ImmutableArray<Tensor>> results, Dictionary<string, int> byName)
    {
        for (var i = 0; i < results.Length; i++)
        {
            foreach (var input in piece.Inputs)
            {
                if (!pending.IsNeededAfter(input, piece.End))
                {
                    _store.Release(input, first + i);
                }
            }

            foreach (var output in piece.Outputs)
            {
                if (pending.IsOfData(output) && pending.IsNeededAfter(output, piece.End))
                {
                    _store.Append(output, results[i][byName[output.Name]]);
                }
            }
        }
    }

    private ImmutableArray<KeyValuePair<string, Tensor>> Feeds(GraphPiece piece, int batch)
    {
        var feeds = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>(piece.Inputs.Count);
        foreach (var input in piece.Inputs)
        {
            _store.TryGet(input, out var batches);
            feeds.Add(new(input.Name, batches![batch]!));
        }

        return feeds.MoveToImmutable();
    }

    // The rank is a fact; sizes may differ from batch to batch.
    private TensorType TypeOf(Value value)
    {
        if (!_store.TryGet(value, out var batches))
        {
            throw new InvalidOperationException(
                $"Activation '{value.Name}' was let go of, since no node read it any more, and is now read again: nodes that were run must not be changed, nor new readers given to what they gave.");
        }

        var rank = batches[0]!.Rank;
        var shape = batches.All(b => b!.Rank == rank) ? new Shape(Enumerable.Repeat(Dimension.Unknown, rank)) : null;
        return new TensorType(batches[0]!.Type, shape);
    }

    private void ReleaseUnneeded(PendingGraph pending, int end)
    {
        foreach (var value in _store.Values.Where(v => !pending.IsNeededAfter(v, end)).ToArray())
        {
            _store.Release(value);
        }
    }
}
