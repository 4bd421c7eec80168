using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank;

/// <summary>
/// Replaces layers by two smaller ones, W·x → Up·(Down·x), whose product is the nearest matrix to W of its rank: its truncated singular value decomposition (Eckart and Young 1936; for
/// networks Xue, Li and Gong 2013, "Restructuring of Deep Neural Network Acoustic Models with Singular Value Decomposition"). Fewer parameters and as many fewer multiplications.
/// </summary>
[Technique("lowrank.svd")]
[Description("Splits layers into two of low rank by their weights alone (SVD).")]
public sealed class SvdFactorization : Technique<SvdFactorization.Options>
{
    /// <summary>Options of <c>lowrank.svd</c>.</summary>
    public sealed record Options : RankOptions;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var (layers, left) = LowRankLayers.Find(model, options.OpTypes, options.Include, options.Exclude);
        var rule = options.Rule(model, () => [.. layers.Select(l => (l, SpectrumOf(l, context)))], context);
        var report = new FactorReport(left);
        report.Each(layers, layer => Factor(layer, rule, context, report), context);
        return report.Result(model);
    }

    // Why the layer was left, or null.
    private static string? Factor(WeightLayer layer, RankRule rule, StepContext context, FactorReport report)
    {
        var choice = rule.Choose(layer, () => SpectrumOf(layer, context));
        if (choice.Rank == 0)
        {
            return choice.Reason;
        }

        using var weight = LayerFactors.Read(layer);
        using var svd = TruncatedSvd.Of(weight.View, choice.Rank, seed: context.Seed, threads: context.Threads, cancellation: context.Cancellation);
        using var factors = LayerFactors.Project(svd.Left, weight, context.Threads);
        report.Add(layer, choice, svd);
        FactorEdit.Apply(layer, factors);
        return null;
    }

    private static Spectrum SpectrumOf(WeightLayer layer, StepContext context)
    {
        using var weight = LayerFactors.Read(layer);
        return Spectrum.Of(weight, LayerFactors.Limit(layer), context);
    }
}
