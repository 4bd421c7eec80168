using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Pruning.Structured.Widths;

/// <summary>Finds how many blocks of a <see cref="RemovalOrder"/> go for a target: the fewest that reach it.</summary>
internal sealed class TargetSearch : IDisposable
{
    private readonly TargetMeasure _measure;
    private readonly double _original;
    private readonly LatencyRatio? _latency;

    /// <summary>Measures the model that the target is a fraction of.</summary>
    /// <param name="model">Not changed; not needed afterwards.</param>
    /// <param name="coupling">Its axes.</param>
    /// <param name="axes">Those that may be cut.</param>
    /// <param name="measure">What is measured.</param>
    /// <param name="sample">What a run is fed; null where there is no data.</param>
    /// <param name="context">Runs models.</param>
    /// <param name="time">Measures.</param>
    public TargetSearch(
        Model model, ChannelCoupling coupling, IReadOnlyList<ChannelAxis> axes, TargetMeasure measure, Sample? sample, StepContext context, TimeProvider time)
    {
        _measure = measure;
        _latency = measure == TargetMeasure.Latency ? new LatencyRatio(model, sample!.AsBatch().Inputs, context, time) : null;
        _original = measure == TargetMeasure.Latency ? 1 : Cost(new WidthCosts(model, coupling, sample), axes, [.. axes.Select(a => a.Size)]);
    }

    /// <summary>The fewest blocks whose removal reaches the target.</summary>
    /// <param name="model">The model as it is now; not changed.</param>
    /// <param name="coupling">Its axes.</param>
    /// <param name="axes">Those that the order is of.</param>
    /// <param name="order">The order.</param>
    /// <param name="fraction">Fraction of what the original has that is to be gone.</param>
    /// <param name="sample">What a run is fed.</param>
    /// <exception cref="DiagnosticException">BML5633: all blocks together do not reach it. BML5632 sizes are not known.</exception>
    public int Find(Model model, ChannelCoupling coupling, IReadOnlyList<ChannelAxis> axes, RemovalOrder order, double fraction, Sample? sample)
    {
        var costs = new WidthCosts(model, coupling, sample);
        double Removed(int blocks) => 1 - (_latency is null ? Cost(costs, axes, order.Sizes(blocks)) / _original : Ratio(model, axes, order, blocks));
        var (low, high) = (0, order.Count); // the target is reached at high, and not below low
        if (fraction <= 0)
        {
            return 0;
        }

        if (Removed(high) is var most && most < fraction - 1e-12)
        {
            throw new DiagnosticException("BML5633", string.Create(
                CultureInfo.InvariantCulture,
                $"The target of {fraction:0.####} of the {Noun} cannot be reached: when all {axes.Count} axes have their least sizes, {most:0.####} is gone. Lower the target, 'minimum' or 'round_to', or "
                + $"widen the selection."));
        }

        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (Removed(middle) >= fraction - 1e-12)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return high;
    }

    /// <inheritdoc/>
    public void Dispose() => _latency?.Dispose();

    private string Noun => _measure switch
    {
        TargetMeasure.Positions => "positions",
        TargetMeasure.Macs => "multiply-accumulates",
        TargetMeasure.Parameters => "parameters",
        TargetMeasure.Size => "bytes",
        _ => "time",
    };

    private double Cost(WidthCosts costs, IReadOnlyList<ChannelAxis> axes, int[] sizes)
    {
        if (_measure == TargetMeasure.Positions)
        {
            return sizes.Sum(s => (double)s);
        }

        var of = axes.Zip(sizes).ToDictionary(p => p.First, p => (long)p.Second);
        long SizeOf(ChannelAxis axis) => of.TryGetValue(axis, out var size) ? size : axis.Size;
        return _measure switch
        {
            TargetMeasure.Macs => costs.Macs(SizeOf),
            TargetMeasure.Parameters => costs.Parameters(SizeOf).Count,
            _ => costs.Parameters(SizeOf).Bytes,
        };
    }

    // A copy's analysis has the same axes in the same order.
    private double Ratio(Model model, IReadOnlyList<ChannelAxis> axes, RemovalOrder order, int blocks)
    {
        using var copy = model.Clone();
        var coupling = ChannelCoupling.Analyze(copy);
        var byName = coupling.Axes.ToDictionary(a => a.Name, StringComparer.Ordinal);
        coupling.Remove(order.Positions(blocks).ToDictionary(p => byName[axes[p.Key].Name], p => (IReadOnlyList<int>)p.Value));
        return _latency!.Of(copy);
    }
}
