using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;
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
    public sealed record Options : FactorOptions
    {
        /// <summary>Ranks of all layers: of the inputs and of the outputs; a layer with fewer channels takes as many as it has.</summary>
        public ImmutableArray<int> Ranks { get; init; } = [];

        private protected override (string Name, bool IsGiven) Fixed => (nameof(Ranks), !Ranks.IsEmpty);

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
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
        var rule = new TuckerRule(layers, options, model, context);
        var report = new FactorReport(left);
        report.Each(layers, layer => Factor(layer, rule, context, report), context);
        return report.Result(model);
    }

    // Why the layer was left, or null.
    private static string? Factor(WeightLayer layer, TuckerRule rule, StepContext context, FactorReport report)
    {
        var (inputs, positions) = ((int)layer.Tensor.Sizes[1], TuckerRule.Positions(layer));
        if (positions == 1)
        {
            return "its kernel is 1×1, which lowrank.svd splits";
        }

        using var kernel = LayerFactors.Read(layer);
        var choice = rule.Choose(layer, kernel);
        if (choice.Reason is not null)
        {
            return choice.Reason;
        }

        var ranks = choice.Ranks;
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
                new("input_rank", ranks.Inputs), new("output_rank", ranks.Outputs), .. choice.Figures,
                new("error", tucker.SquaredNorm > 0 ? Math.Sqrt(tucker.SquaredError / tucker.SquaredNorm) : 0),
            ]);
        TuckerEdit.Apply(layer, tucker);
        return null;
    }
}
