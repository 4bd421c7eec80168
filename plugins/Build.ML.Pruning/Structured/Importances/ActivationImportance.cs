using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Calibration;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The mean magnitude of a position's activation over the calibration data (Muralidharan et al. 2024, "Compact Language Models via Pruning and Knowledge Distillation" (Minitron), arXiv
/// 2407.14679, §2.2), over its mean in the layer: as the layers that read the axis see it; where several do, the mean of these ratios.
/// </summary>
[Importance("activation")]
[Description("Mean magnitude of a channel's activation over calibration data.")]
public sealed record ActivationImportance : Importance
{
    /// <summary>Samples run together, where the model leaves that free; 1 or more. Default 8.</summary>
    [Range(1, 1 << 16)]
    public int BatchSize { get; init; } = Batching.Default;

    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context)
    {
        var data = context.RequiredData("activation");
        var seen = context.Axes.Select(a => ActivationsOf(context, a)).ToArray();
        var means = new Dictionary<(string, int), double[]>();
        foreach (var dimension in seen.SelectMany(s => s).GroupBy(s => s.Dimension))
        {
            string[] names = [.. dimension.Select(s => s.Value.Name).Distinct(StringComparer.Ordinal)];
            var summaries = new CalibrationStage(context.Step).Observe(context.Model, names, data, new ChannelStatistic(dimension.Key), BatchSize);
            foreach (var (name, summary) in summaries)
            {
                means.Add((name, dimension.Key), summary.MeanMagnitude);
            }
        }

        return [.. context.Axes.Zip(seen, (axis, activations) => Mean(axis, activations, means))];
    }

    private static float[] Mean(ChannelAxis axis, List<Activation> activations, Dictionary<(string, int), double[]> means)
    {
        var total = new double[axis.Size];
        foreach (var activation in activations)
        {
            var along = means[(activation.Value.Name, activation.Dimension)];
            var sums = new double[axis.Size];
            for (var i = 0; i < along.Length; i++)
            {
                if (activation.Positions[i] is var position and >= 0)
                {
                    sums[position] += along[i];
                }
            }

            WeightNorms.AddRatios(sums, static s => s, total);
        }

        return Array.ConvertAll(total, t => (float)(t / Math.Max(activations.Count, 1)));
    }

    // What the layers that sum over the axis read; where there are none, what the layers that make it give.
    private static List<Activation> ActivationsOf(ImportanceContext context, ChannelAxis axis)
    {
        var found = new List<Activation>();
        foreach (var place in axis.Places.Where(p => p.Role == AxisRole.Input))
        {
            foreach (var input in place.Reader.Inputs)
            {
                Add(input);
            }
        }

        foreach (var place in axis.Places.Where(p => found.Count == 0 && p.Role != AxisRole.Input).ToArray())
        {
            Add(place.Reader.Outputs[0]);
        }

        return found;

        void Add(Value? value)
        {
            if (value is null || value.Constant is not null || value.Graph != context.Model.Graph || !FloatView.CanRead(value.ElementType) || found.Exists(f => f.Value == value))
            {
                return;
            }

            for (var d = 0; d < (value.Shape?.Rank ?? 0); d++)
            {
                if (context.Coupling.LayoutOf(value, d) is { IsKnown: true } layout && layout.Axes.Contains(axis))
                {
                    found.Add(new(value, d, layout.PositionsOf(axis)));
                    return;
                }
            }
        }
    }

    private sealed record Activation(Value Value, int Dimension, int[] Positions);
}
