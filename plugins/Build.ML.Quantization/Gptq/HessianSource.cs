using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;

namespace Build.ML.Quantization.Gptq;

/// <summary>The Hessians of one group of layers, and how many inputs they were summed over.</summary>
/// <param name="Matrices">One for each group of a convolution's channels, else one. Disposed with this.</param>
/// <param name="Count">Inputs.</param>
internal sealed record LayerHessians(FloatMatrix[] Matrices, long Count) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var matrix in Matrices)
        {
            matrix.Dispose();
        }
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
/// layers make up for errors of earlier ones. The model is run once, piece by piece.
/// </summary>
internal sealed class SequentialHessians(Model model, DataSet data, StepContext context) : IHessianSource
{
    private readonly StreamedExecution _run = new(model, data, context);

    /// <inheritdoc/>
    public LayerHessians Of(HessianGroup group)
    {
        _run.AdvanceTo(group.First);
        using var collector = new HessianCollector(group, context.Threads);
        foreach (var activation in _run.Activations(group.Activation))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            collector.Add(activation);
        }

        return new(collector.Finish(), collector.Count);
    }

    /// <inheritdoc/>
    public void Skip(HessianGroup group) => _run.AdvanceTo(group.First);

    /// <inheritdoc/>
    public void Dispose() => _run.Dispose();
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
