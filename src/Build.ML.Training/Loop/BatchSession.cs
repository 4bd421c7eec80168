using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Training.Feed;
using Build.ML.Training.Random;

namespace Build.ML.Training;

/// <summary>
/// The training model of one static shape, or the model that only computes its loss, bound to buffers: its weights are the store's, its teachers write straight into its inputs.
/// </summary>
internal sealed class BatchSession : IDisposable
{
    // Numbers of a mask that one thread fills at a time: a multiple of a block of random words.
    private const int MaskPiece = 1 << 15;

    private readonly StepContext _context;
    private readonly Model _forward;
    private readonly TrainingModel _model;
    private readonly Dictionary<string, TensorBuffer> _own = new(StringComparer.Ordinal);
    private readonly List<(string Input, LabelWriter Fill)> _labels = [];
    private readonly List<TeacherGraph> _teachers = [];
    private readonly List<IBoundSession> _teacherSessions = [];
    private IBoundSession? _session;

    /// <summary>Builds the graph; <see cref="Bind(WeightStore)"/> makes it run.</summary>
    /// <param name="context">Inference, threads, seed.</param>
    /// <param name="forward">The model.</param>
    /// <param name="plan">Losses, teachers.</param>
    /// <param name="shape">Shape of the samples.</param>
    /// <param name="trainable">Which initializers are inputs.</param>
    /// <param name="evaluate">Whether to compute the loss alone, as in use: no dropout, running statistics.</param>
    public BatchSession(StepContext context, Model forward, TrainingPlan plan, FeedShape shape, Func<Value, bool> trainable, bool evaluate)
    {
        _context = context;
        _forward = forward;
        var options = plan.Options;
        try
        {
            var sizes = BatchSizes.Of(forward, shape, options.BatchSize);
            foreach (var teacher in plan.Teachers)
            {
                _teachers.Add(new TeacherGraph(teacher, BatchSizes.Of(teacher, shape, options.BatchSize)));
            }

            var builder = new TrainingModelBuilder(forward, new TrainingModelOptions
            {
                InputSizes = sizes,
                Trainable = trainable,
                FeedStatistics = evaluate,
                BatchStatistics = !evaluate && !options.FreezeStatistics,
                Dropout = !evaluate && options.Dropout,
                MemoryBudget = options.ActivationMemory is { } megabytes ? (long)(megabytes * (1 << 20)) : long.MaxValue,
                Kernels = context.Inference.Kernels,
                Rules = GradientRuleSet.Of(context.GradientAssemblies),
            });
            var losses = new LossContext(
                builder,
                [.. forward.Graph.Inputs.Where(i => i.Initializer is null).Select(i => i.Name)],
                [.. forward.Graph.Outputs.Select(o => o.Name)],
                options.BatchSize,
                _teachers);
            var op = builder.Ops;
            var parts = plan.Losses.Select(l => op.Mul(op.Reshape(l.Build(losses)), l.Weight)).ToArray();
            var total = op.Sum(parts);
            _model = evaluate ? builder.Evaluate(total) : builder.Differentiate(total);
            foreach (var (_, label) in losses.LabelInputs)
            {
                if (Takes(label.Value.Name))
                {
                    _labels.Add((label.Value.Name, label.Fill));
                }
            }

            foreach (var (name, type) in _model.Data)
            {
                _own.Add(name, new TensorBuffer(type.ElementType, type.Shape!.ToSizes()));
            }

            foreach (var random in _model.Random)
            {
                _own.Add(random.Input, new TensorBuffer(DataType.Float, random.Sizes.AsSpan()));
            }

            _own.Add(_model.Loss, new TensorBuffer(DataType.Float));
            OpenTeachers(losses, shape);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What is trained.</summary>
    public TrainingModel Model => _model;

    /// <summary>Opens the session over the store's buffers.</summary>
    /// <param name="store">Has all weights that the model trains.</param>
    public void Bind(WeightStore store)
    {
        var buffers = new Dictionary<string, TensorBuffer>(StringComparer.Ordinal);
        foreach (var parameter in _model.Parameters)
        {
            if (parameter.Gradient.Length == 0)
            {
                buffers.Add(parameter.Input, store.Results.First(r => r.Name == parameter.Name).Buffer);
                continue;
            }

            var weight = store.Find(parameter.Name)!;
            buffers.Add(parameter.Input, weight.Weights);
            buffers.Add(parameter.Gradient, weight.Gradients);
        }

        foreach (var state in _model.States)
        {
            buffers.Add(state.Output, store.Statistics.First(s => s.Name == state.Name).Batch);
        }

        Open(buffers);
    }

    /// <summary>Opens the session of a model that only computes its loss.</summary>
    /// <param name="weights">Buffers of its weights by name.</param>
    public void Bind(IReadOnlyDictionary<string, TensorBuffer> weights) =>
        Open(_model.Parameters.ToDictionary(p => p.Input, p => weights[p.Name], StringComparer.Ordinal));

    private void Open(Dictionary<string, TensorBuffer> buffers)
    {
        foreach (var (name, buffer) in _own)
        {
            buffers.Add(name, buffer);
        }

        _session = _context.Inference.Bind(_model.Model, buffers, new InferenceOptions { Threads = _context.Threads });
        _model.Model.Dispose(); // weights that are not trained are in the session now
    }

    /// <summary>Runs a batch; gradients and statistics of the batch are in the store's buffers afterwards.</summary>
    /// <param name="batch">Of the shape.</param>
    /// <returns>The loss.</returns>
    public float Run(FeedBatch batch)
    {
        foreach (var (name, buffer) in batch.Inputs)
        {
            var input = BatchSizes.NameOf(name, _forward);
            if (_own.TryGetValue(input, out var own))
            {
                own.CopyFrom(buffer);
            }
        }

        foreach (var (input, fill) in _labels)
        {
            fill(batch, _own[input]);
        }

        DrawMasks(batch.Step);
        foreach (var teacher in _teacherSessions)
        {
            teacher.Run(_context.Cancellation);
        }

        _session!.Run(_context.Cancellation);
        return _own[_model.Loss].Span<float>()[0];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session?.Dispose();
        foreach (var session in _teacherSessions)
        {
            session.Dispose();
        }

        foreach (var teacher in _teachers)
        {
            teacher.Dispose();
        }

        foreach (var buffer in _own.Values)
        {
            buffer.Dispose();
        }
    }

    private bool Takes(string input) => _model.Data.Any(d => d.Key == input);

    // A teacher reads the student's buffers where both take an input of the same name, and writes into the student's inputs.
    private void OpenTeachers(LossContext losses, FeedShape shape)
    {
        for (var t = 0; t < _teachers.Count; t++)
        {
            var graph = _teachers[t];
            var taught = losses.Taught.Where(e => e.Key.Teacher == t && Takes(e.Value.Name)).ToArray();
            if (taught.Length == 0)
            {
                continue;
            }

            graph.Return(taught.Select(e => e.Key.Name));
            var buffers = taught.ToDictionary(e => e.Key.Name, e => _own[e.Value.Name], StringComparer.Ordinal);
            foreach (var input in graph.Model.Graph.Inputs)
            {
                var fed = shape.Inputs.First(f => f.Name == input.Name || f.Name.Length == 0);
                var name = BatchSizes.NameOf(fed.Name, _forward);
                if (!_own.TryGetValue(name, out var buffer))
                {
                    buffer = new TensorBuffer(fed.Type, input.Shape!.ToSizes());
                    _own.Add(name, buffer);
                }

                buffers[input.Name] = buffer;
            }

            _teacherSessions.Add(_context.Inference.Bind(graph.Model, buffers, new InferenceOptions { Threads = _context.Threads }));
        }
    }

    // A function of (seed, step, layer, place) alone: neither threads nor resumption change it.
    private void DrawMasks(long step)
    {
        for (var i = 0; i < _model.Random.Length; i++)
        {
            var random = new CounterRandom(_context.Seed, RandomStream.Dropout).Fork(step).Fork(i);
            var buffer = _own[_model.Random[i].Input];
            var keep = _model.Random[i].KeepProbability;
            var pieces = (int)((buffer.Count + MaskPiece - 1) / MaskPiece);
            Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = _context.Threads }, p =>
            {
                var own = random;
                own.Position = (long)p * MaskPiece;
                own.FillMask(buffer.Span<float>().Slice(p * MaskPiece, (int)Math.Min(MaskPiece, buffer.Count - (long)p * MaskPiece)), keep);
            });
        }
    }
}
