using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.WeightSharing.Clustering;

namespace Build.ML.WeightSharing.Bins;

/// <summary>Weight sharing by uniform bins: the range of a layer's weights is divided into stretches of equal width, and the weights of each share one value.</summary>
[Technique("share.bins")]
[Description("Lets the weights of each layer share one value for each of equally wide bins, stored as codebook and packed indices.")]
public sealed class WeightBinning : Technique<WeightBinning.Options>
{
    /// <summary>Options of <c>share.bins</c>.</summary>
    public sealed record Options : SharingOptions
    {
        /// <summary>What stands for a bin: the <c>mean</c> of its weights (default), which loses least, or its <c>center</c>.</summary>
        public BinValue Value { get; init; } = BinValue.Mean;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new WeightSharer(options, context, _ => (weights, summary, count, hasZero, _, _) => Divide(weights, summary, count, hasZero, options.Value)).Apply(model);
    }

    private static Codebook Divide(ReadOnlySpan<float> weights, NumberSummary summary, int count, bool hasZero, BinValue value)
    {
        double least = summary.Least, width = ((double)summary.Greatest - least) / count;
        var values = new float[width > 0 ? count : 1];
        var bounds = new float[values.Length - 1];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(least + (i + 0.5) * width);
        }

        for (var i = 0; i < bounds.Length; i++)
        {
            bounds[i] = (float)(least + (i + 1) * width);
        }

        if (value == BinValue.Mean)
        {
            TakeMeans(weights, bounds, values, hasZero);
        }

        return new Codebook(bounds, values, hasZero);
    }

    private static void TakeMeans(ReadOnlySpan<float> weights, float[] bounds, float[] values, bool withoutZeros)
    {
        var intervals = new Intervals(bounds);
        var (sums, counts) = (new double[values.Length], new long[values.Length]);
        foreach (var weight in weights)
        {
            if (weight != 0 || !withoutZeros)
            {
                var bin = intervals.Of(weight);
                sums[bin] += weight;
                counts[bin]++;
            }
        }

        for (var i = 0; i < values.Length; i++)
        {
            values[i] = counts[i] > 0 ? (float)(sums[i] / counts[i]) : values[i];
        }
    }
}

/// <summary>What stands for a bin.</summary>
public enum BinValue
{
    /// <summary>The mean of its weights; the centre where it has none.</summary>
    Mean,

    /// <summary>Its centre.</summary>
    Center,
}
