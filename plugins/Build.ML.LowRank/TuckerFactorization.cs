using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Tucker;

namespace Build.ML.LowRank;

/// <summary>
/// Replaces a convolution by three: 1×1 to fewer channels, the kernel between few channels, 1×1 to the outputs (Kim et al. 2016, "Compression of Deep Convolutional Neural Networks for Fast and
/// Low Power Mobile Applications", arXiv 1511.06530: Tucker-2).
/// </summary>
[Technique("lowrank.tucker")]
[Description("Splits convolutions into 1x1, a core between few channels, and 1x1 (Tucker-2).")]
public sealed class TuckerFactorization : Technique<TuckerFactorization.Options>
{
    /// <summary>Options of <c>lowrank.tucker</c>.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Share of its parameters that each layer keeps, above 0, below 1; both ranks in proportion to the channels.</summary>
        [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
        public double? Ratio { get; init; }

        /// <summary>Share of the squared singular values of each unfolding (over inputs, over outputs) that is kept at least, above 0, below 1.</summary>
        [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
        public double? Energy { get; init; }

        /// <summary>Ranks of all layers: of the inputs and of the outputs; a layer with fewer channels takes as many as it has.</summary>
        public ImmutableArray<int> Ranks { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are factored. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            var given = (Ratio is null ? 0 : 1) + (Energy is null ? 0 : 1) + (Ranks.IsEmpty ? 0 : 1);
            if (given != 1)
            {
                yield return new($"exactly one of ratio, energy and ranks decides the ranks, {(given == 0 ? "none" : given)} of them is given", [nameof(Ratio), nameof(Energy), nameof(Ranks)]);
            }

            if (!Ranks.IsEmpty && (Ranks.Length != 2 || Ranks.Any(r => r < 1)))
            {
                yield return new($"ranks are two numbers of 1 or more, of inputs and outputs, got [{string.Join(", ", Ranks)}]", [nameof(Ranks)]);
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
        var inputs = (int)layer.Tensor.Sizes[1];
        var positions = layer.Columns / inputs;
        if (positions == 1)
        {
            return "its kernel is 1×1, which lowrank.svd splits";
        }

        using var kernel = LayerFactors.Read(layer);
        var ranks = options.Ratio is { } ratio ? TuckerRanks.OfRatio(inputs, layer.Rows, positions, ratio)
            : options.Energy is { } energy ? TuckerRanks.OfEnergy(kernel, positions, energy, context.Threads)
            : new(Math.Min(options.Ranks[0], inputs), Math.Min(options.Ranks[1], layer.Rows));
        var (before, after) = ((long)layer.Rows * layer.Columns, ranks.Parameters(inputs, layer.Rows, positions));
        if (after >= before)
        {
            return $"nothing is gained: ranks {ranks.Inputs} and {ranks.Outputs} take {after} numbers, the layer has {before}";
        }

        if (ranks.Multiplications(layer, inputs, positions) is var work && work >= before)
        {
            return $"nothing is gained: ranks {ranks.Inputs} and {ranks.Outputs} take {work} multiplications for a position, the layer {before}";
        }

        using var tucker = TuckerDecomposition.Of(kernel, positions, ranks.Outputs, ranks.Inputs, context.Seed, context.Threads, context.Cancellation);
        report.Add(
            layer, after,
            [
                new("input_rank", ranks.Inputs), new("output_rank", ranks.Outputs),
                new("error", tucker.SquaredNorm > 0 ? Math.Sqrt(tucker.SquaredError / tucker.SquaredNorm) : 0),
            ]);
        TuckerEdit.Apply(layer, tucker);
        return null;
    }
}
