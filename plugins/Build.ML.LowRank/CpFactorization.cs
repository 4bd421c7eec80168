using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.LowRank.Cp;
using Build.ML.LowRank.Layers;

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
    public sealed record Options : IValidatableObject
    {
        /// <summary>Share of its parameters that each layer keeps, above 0, below 1.</summary>
        [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
        public double? Ratio { get; init; }

        /// <summary>Number of terms of all layers, 1 or more.</summary>
        [Range(1, int.MaxValue)]
        public int? Rank { get; init; }

        /// <summary>
        /// Share of the weight's squares that each layer keeps at least, above 0, below 1: numbers of terms are tried, each a quarter more than the one before, until it is kept. Takes several times
        /// as long as <c>ratio</c>.
        /// </summary>
        [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
        public double? Energy { get; init; }

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are factored. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            var given = (Ratio is null ? 0 : 1) + (Rank is null ? 0 : 1) + (Energy is null ? 0 : 1);
            if (given != 1)
            {
                yield return new($"exactly one of ratio, rank and energy decides the number of terms, {(given == 0 ? "none" : given)} of them is given", [nameof(Ratio), nameof(Rank), nameof(Energy)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var (layers, left) = LowRankLayers.Find(model, [], options.Include, options.Exclude, "Conv");
        var report = new FactorReport(left);
        report.Each(layers, layer => Factor(layer, options, context, report), context);
        return report.Result(model);
    }

    // Why the layer was left, or null.
    private static string? Factor(WeightLayer layer, Options options, StepContext context, FactorReport report)
    {
        var sizes = layer.Tensor.Sizes;
        if (sizes.Length != 4)
        {
            return $"its kernel has {sizes.Length - 2} dimensions, two are needed";
        }

        if (sizes[2] * sizes[3] == 1)
        {
            return "its kernel is 1×1, which lowrank.svd splits";
        }

        var each = layer.Rows + sizes[1] + sizes[2] + sizes[3];
        var before = (long)layer.Rows * layer.Columns;
        var limit = (int)((before - 1) / each);
        var rank = options.Ratio is { } ratio ? (int)(ratio * before / each) : options.Rank ?? 1;
        if (rank < 1)
        {
            return "its rank rounds to 0";
        }

        using var kernel = LayerFactors.Read(layer);
        CpDecomposition? cp = null;
        for (; rank <= limit; rank = Math.Max(rank + 1, rank * 5 / 4))
        {
            cp = CpDecomposition.Of(kernel, (int)sizes[2], (int)sizes[3], rank, context.Seed, context.Threads, context.Cancellation);
            if (options.Energy is not { } energy || cp.SquaredError <= (1 - energy) * cp.SquaredNorm)
            {
                var strides = layer.Node.Ints("strides");
                var (down, across) = strides.IsDefault ? (1, 1) : (strides[0], strides[1]);

                // For each position of the output: the first two parts compute more of them where the convolution strides.
                var work = rank * (down * across * sizes[1] + across * sizes[2] + sizes[3] + layer.Rows);
                if (work >= before)
                {
                    return $"nothing is gained: {rank} terms take {work} multiplications for a position, the layer {before}";
                }

                report.Add(layer, rank * each, [new("rank", rank), new("error", cp.SquaredNorm > 0 ? Math.Sqrt(cp.SquaredError / cp.SquaredNorm) : 0)]);
                CpEdit.Apply(layer, cp.Normalized(), rank);
                return null;
            }
        }

        return cp is null
            ? $"nothing is gained: {rank} terms take {rank * each} numbers, the layer has {before}"
            : $"nothing is gained: {limit} terms, the most with fewer numbers than the layer, keep less of its squares";
    }
}
