using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.LowRank.Cp;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank;

/// <summary>
/// Replaces a convolution by four: 1×1, along rows and along columns within each channel, 1×1 (Lebedev et al. 2015, "Speeding-up Convolutional Neural Networks Using Fine-tuned
/// CP-Decomposition", arXiv 1412.6553).
/// </summary>
[Technique("lowrank.cp")]
[Description("Splits convolutions into 1x1, two one-dimensional depthwise ones, and 1x1 (CP).")]
public sealed class CpFactorization : Technique<CpFactorization.Options>
{
    /// <summary>Options of <c>lowrank.cp</c>.</summary>
    public sealed record Options : FactorOptions
    {
        /// <summary>Number of terms of all layers, 1 or more.</summary>
        [Range(1, int.MaxValue)]
        public int? Rank { get; init; }

        private protected override (string Name, bool IsGiven) Fixed => (nameof(Rank), Rank is not null);
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var (layers, left) = LowRankLayers.Find(model, [], options.Include, options.Exclude, "Conv");
        var rule = new CpRule(layers, options, model, context);
        var report = new FactorReport(left);
        report.Each(layers, layer => Factor(layer, rule, options.Energy, context, report), context);
        return report.Result(model);
    }

    // Why the layer was left, or null.
    private static string? Factor(WeightLayer layer, CpRule rule, double? energy, StepContext context, FactorReport report)
    {
        if (CpRule.Obstacle(layer) is { } obstacle)
        {
            return obstacle;
        }

        var choice = rule.Choose(layer);
        if (choice.Rank == 0)
        {
            return choice.Reason;
        }

        var rank = choice.Rank;
        var (sizes, each, limit, before) = (layer.Tensor.Sizes, CpRule.Each(layer), CpRule.Limit(layer), (long)layer.Rows * layer.Columns);
        using var kernel = LayerFactors.Read(layer);
        CpDecomposition? cp = null;
        for (; rank <= limit; rank = CpRule.Next(rank))
        {
            cp = CpDecomposition.Of(kernel, (int)sizes[2], (int)sizes[3], rank, context.Seed, context.Threads, context.Cancellation);
            if (energy is not { } share || cp.SquaredError <= (1 - share) * cp.SquaredNorm)
            {
                var work = CpRule.Multiplications(layer, rank);
                if (work >= before)
                {
                    return $"nothing is gained: {rank} terms take {work} multiplications for a position, the layer {before}";
                }

                report.Add(layer, rank * each, [new("rank", rank), .. choice.Figures, new("error", cp.SquaredNorm > 0 ? Math.Sqrt(cp.SquaredError / cp.SquaredNorm) : 0)]);
                CpEdit.Apply(layer, cp.Normalized(), rank);
                return null;
            }
        }

        return cp is null
            ? $"nothing is gained: {rank} terms take {rank * each} numbers, the layer has {before}"
            : $"nothing is gained: {limit} terms, the most with fewer numbers than the layer, keep less of its squares";
    }
}
