using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Gptq;

/// <summary>The Hessians of one group of layers, and how many inputs they were summed over.</summary>
/// <param name="Matrices">One for each group of a convolution's channels, else one. Disposed with this.</param>
/// <param name="Count">Inputs.</param>
internal sealed record LayerHessians(FloatMatrix[] Matrices, long Count) : IDisposable
{
    private FloatMatrix[]? _drifts;

    /// <summary>As the other constructor, with what the inputs have become against what they are (<see cref="DriftAccumulator"/>), or null where that is the same or not asked for.</summary>
    public LayerHessians(FloatMatrix[] matrices, long count, FloatMatrix[]? drifts)
        : this(matrices, count) => _drifts = drifts;

    /// <summary>Hands over the drifts, which the caller disposes.</summary>
    public FloatMatrix[]? TakeDrifts()
    {
        var drifts = _drifts;
        _drifts = null;
        return drifts;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var matrix in Matrices)
        {
            matrix.Dispose();
        }

        Array.ForEach(_drifts ?? [], d => d.Dispose());
    }
}

/// <summary>Where Hessians come from. Groups are asked for in the order of execution, each at most once.</summary>
internal interface IHessianSource : IDisposable
{
    /// <summary>The Hessians of a group; the caller disposes them.</summary>
    LayerHessians Of(HessianGroup group);

    /// <summary>
    /// Passes over a group that was solved before, by a step that was killed. A run of the model stops there all the same: it is cut into the pieces that it would be cut into
    /// without the kill, so that activations are rounded at the same places.
    /// </summary>
    void Skip(HessianGroup group);
}

/// <summary>
/// The true-sequential order: a group's inputs are those that the layers before give as they are by then, quantized ones among them (arXiv 2210.17323, §4), so that later
/// layers make up for errors of earlier ones. The model is run once, piece by piece; where errors are to be propagated, the model as it was runs beside it.
/// </summary>
internal sealed class SequentialHessians : IHessianSource
{
    private readonly StepContext _context;
    private readonly StreamedExecution _run;
    private readonly ExactModel? _exact;

    /// <summary>Begins to run the model.</summary>
    /// <param name="model">The model, before any layer is replaced.</param>
    /// <param name="data">Calibration data.</param>
    /// <param name="withDrifts">Whether the exact model runs too.</param>
    /// <param name="context">Inference, cores, scratch folder, cancellation.</param>
    public SequentialHessians(Model model, DataSet data, bool withDrifts, StepContext context)
    {
        _context = context;
        _run = new(model, data, context);
        _exact = withDrifts ? new(model, data, context) : null;
    }

    /// <inheritdoc/>
    public LayerHessians Of(HessianGroup group)
    {
        Skip(group);
        using var collector = new HessianCollector(group, _context.Threads, _exact is not null);
        using var exact = _exact?.Activations(group.Activation).GetEnumerator();
        foreach (var activation in _run.Activations(group.Activation))
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            exact?.MoveNext();
            collector.Add(activation, exact?.Current);
        }

        return collector.Finish();
    }

    /// <inheritdoc/>
    public void Skip(HessianGroup group)
    {
        _run.AdvanceTo(group.First);
        _exact?.AdvanceTo(group.First);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _run.Dispose();
        _exact?.Dispose();
    }

    /// <summary>The model as it was, run to the same places.</summary>
    private sealed class ExactModel : IDisposable
    {
        private readonly Model _model;
        private readonly Dictionary<Node, Node> _nodes = [];
        private readonly StreamedExecution _run;

        public ExactModel(Model model, DataSet data, StepContext context)
        {
            _model = model.Clone();
            foreach (var (node, copy) in model.Graph.Nodes.Zip(_model.Graph.Nodes))
            {
                _nodes.Add(node, copy);
            }

            _run = new(_model, data, context);
        }

        public void AdvanceTo(Node node) => _run.AdvanceTo(_nodes[node]);

        public IEnumerable<Tensor> Activations(Value value) => _run.Activations(_model.Graph.Find(value.Name)!);

        public void Dispose()
        {
            _run.Dispose();
            _model.Dispose();
        }
    }
}

/// <summary>Hessians of the model as it was before any layer was quantized, shared by all steps that need them: from the cache, or several values in one run of the model.</summary>
internal sealed class StageHessians(Model model, DataReference data, IReadOnlyList<HessianGroup> groups, StepContext context) : IHessianSource
{
    // Of Hessians collected in one run.
    private const long Budget = 1L << 30;

    private readonly Dictionary<HessianGroup, LayerHessians> _ahead = [];

    /// <inheritdoc/>
    public LayerHessians Of(HessianGroup group)
    {
        if (!_ahead.Remove(group, out var found))
        {
            Collect([.. Ahead(group)]);
            _ahead.Remove(group, out found);
        }

        return found!;
    }

    /// <inheritdoc/>
    public void Skip(HessianGroup group)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var hessians in _ahead.Values)
        {
            hessians.Dispose();
        }
    }

    private IEnumerable<HessianGroup> Ahead(HessianGroup group)
    {
        long bytes = 0;
        foreach (var next in groups.SkipWhile(g => g != group).Where(g => g.Convolution is null == group.Convolution is null))
        {
            bytes += next.Hessians * HessianAccumulator.BytesFor(next.Columns);
            if (next != group && (bytes > Budget || group.Convolution is not null))
            {
                yield break;
            }

            yield return next;
        }
    }

    private void Collect(HessianGroup[] wanted)
    {
        var stage = new CalibrationStage(context);
        if (wanted[0].Convolution is not null)
        {
            var statistic = new ConvolutionHessianStatistic(wanted[0], context.Threads);
            _ahead.Add(wanted[0], stage.Observe(model, [wanted[0].Activation.Name], data, statistic).Values.Single().Hessians);
            return;
        }

        var found = stage.Observe(model, [.. wanted.Select(g => g.Activation.Name)], data, new HessianStatistic(context.Threads));
        foreach (var group in wanted)
        {
            var hessian = found[group.Activation.Name];
            _ahead.Add(group, new([hessian.Matrix], hessian.Count));
        }
    }
}
