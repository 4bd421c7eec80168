using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>
/// A loss of a model in use, batch by batch, while a caller changes weights between runs: forward only, nothing is differentiated. For scores by small changes of weights (zeroth-order gradients).
/// </summary>
public sealed class LossProbe : IDisposable
{
    private readonly StepContext _context;
    private readonly Model _model;
    private readonly TrainingPlan _plan;
    private readonly TrainingFeed _feed;
    private readonly Dictionary<string, TensorBuffer> _weights = new(StringComparer.Ordinal);
    private readonly Dictionary<FeedShape, BatchSession> _sessions = [];

    /// <summary>Opens the data; takes the weights out of the model.</summary>
    /// <param name="context">Inference, threads, cancellation.</param>
    /// <param name="model">The model; its Constant nodes become initializers, nothing else changes. Must outlive this.</param>
    /// <param name="data">Samples with the labels that the losses need.</param>
    /// <param name="losses">Their weighted sum is computed.</param>
    /// <param name="of">Which float initializers of the main graph are to be changed.</param>
    /// <param name="batchSize">Samples in a batch, 1 or more; what the last batch lacks is filled with samples of the data a second time.</param>
    /// <param name="buckets">How samples of different lengths are padded, or null where all have one shape.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6080 to BML6084: the data.</exception>
    public LossProbe(StepContext context, Model model, DataSet data, ImmutableArray<Loss> losses, Func<Value, bool> of, int batchSize, PaddingBuckets? buckets = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(of);
        (_context, _model) = (context, model);
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        _plan = new TrainingPlan
        {
            Options = new TrainingOptions { Data = default, BatchSize = batchSize, FreezeStatistics = true, Dropout = false, Optimizer = new GradientDescent() },
            Losses = losses,
        };
        foreach (var value in model.Graph.Initializers.Where(v => v.Initializer!.Type == DataType.Float && of(v)))
        {
            _weights.Add(value.Name, TensorBuffer.Of(value.Initializer!));
        }

        try
        {
            _feed = new TrainingFeed(data, new FeedOptions { BatchSize = batchSize, Shuffle = false, Buckets = buckets, Name = "data of the loss" }, context.Cancellation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Number of batches.</summary>
    public long Batches => _feed.StepsPerEpoch;

    /// <summary>A weight to change, or null where the main graph has no such float initializer.</summary>
    /// <param name="name">Name of the initializer.</param>
    public TensorBuffer? Weight(string name) => _weights.GetValueOrDefault(name);

    /// <summary>The batches in the order of the data: each computes its loss, any number of times before the next is taken, with the weights as they are then.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6050 to BML6056: model, losses and data do not fit together. BML6060: the loss is not finite.</exception>
    public IEnumerable<Func<float>> Losses()
    {
        for (long step = 0; step < Batches; step++)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            var batch = _feed.Take(step, _context.Cancellation);
            var session = SessionOf(batch.Shape);
            yield return () => session.Run(batch) is var loss && float.IsFinite(loss) ? loss : throw new Graph.Diagnostics.DiagnosticException(
                "BML6060", $"The loss of batch {step} is {loss}: no importance follows from it. Check the data, its labels and the weights of the model.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _feed?.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }

        foreach (var weight in _weights.Values)
        {
            weight.Dispose();
        }
    }

    private BatchSession SessionOf(FeedShape shape)
    {
        if (!_sessions.TryGetValue(shape, out var session))
        {
            session = new BatchSession(_context, _model, _plan, shape, v => _weights.ContainsKey(v.Name), evaluate: true);
            _sessions.Add(shape, session);
            session.Bind(_weights);
        }

        return session;
    }
}
