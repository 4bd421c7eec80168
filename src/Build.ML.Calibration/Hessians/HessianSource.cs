using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;

namespace Build.ML.Calibration.Hessians;

/// <summary>The Hessians of one group of layers, and how many inputs they were summed over.</summary>
/// <param name="Matrices">One for each group of a convolution's channels, else one. Disposed with this.</param>
/// <param name="Count">Inputs.</param>
public sealed record LayerHessians(FloatMatrix[] Matrices, long Count) : IDisposable
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
public interface IHessianSource : IDisposable
{
    /// <summary>The Hessians of a group; the caller disposes them.</summary>
    LayerHessians Of(InputGroup group);

    /// <summary>
    /// Passes over a group that was solved before, by a step that was killed. A run of the model stops there all the same: it is cut into the pieces that it would be cut into
    /// without the kill, so that activations are rounded at the same places.
    /// </summary>
    void Skip(InputGroup group);
}

/// <summary>The true-sequential order: Hessians of the inputs of <see cref="SequentialInputs"/>.</summary>
/// <param name="model">The model, before any layer is replaced.</param>
/// <param name="data">Calibration data.</param>
/// <param name="withDrifts">Whether the exact model runs too.</param>
/// <param name="context">Inference, cores, scratch folder, cancellation.</param>
public sealed class SequentialHessians(Model model, DataSet data, bool withDrifts, StepContext context) : IHessianSource
{
    private readonly SequentialInputs _inputs = new(model, data, withDrifts, context);

    /// <inheritdoc/>
    public LayerHessians Of(InputGroup group)
    {
        using var collector = new HessianCollector(group, context.Threads, withDrifts);
        foreach (var (actual, exact) in _inputs.Of(group))
        {
            collector.Add(actual, exact);
        }

        return collector.Finish();
    }

    /// <inheritdoc/>
    public void Skip(InputGroup group) => _inputs.Skip(group);

    /// <inheritdoc/>
    public void Dispose() => _inputs.Dispose();
}

/// <summary>Hessians of the model as it was before any layer was quantized, shared by all steps that need them: from the cache, or several values in one run of the model.</summary>
public sealed class StageHessians(Model model, DataReference data, IReadOnlyList<InputGroup> groups, StepContext context) : IHessianSource
{
    // Of Hessians collected in one run.
    private const long Budget = 1L << 30;

    private readonly Dictionary<InputGroup, LayerHessians> _ahead = [];

    /// <inheritdoc/>
    public LayerHessians Of(InputGroup group)
    {
        if (!_ahead.Remove(group, out var found))
        {
            Collect([.. Ahead(group)]);
            _ahead.Remove(group, out found);
        }

        return found!;
    }

    /// <inheritdoc/>
    public void Skip(InputGroup group)
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

    private IEnumerable<InputGroup> Ahead(InputGroup group)
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

    private void Collect(InputGroup[] wanted)
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
