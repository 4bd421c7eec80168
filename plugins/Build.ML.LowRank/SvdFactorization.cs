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
        var rule = options.Rule(model, () => [.. layers.Select(l => (l, Spectrum(l, context)))], context);
        var report = new FactorReport(left);
        for (var i = 0; i < layers.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Length, $"layer {i + 1}/{layers.Length} {layers[i].Name}"));
            var choice = rule.Choose(layers[i], () => Spectrum(layers[i], context));
            if (choice.Rank == 0)
            {
                report.Leave(layers[i], choice.Reason);
                continue;
            }

            using var weight = LayerFactors.Read(layers[i]);
            using var svd = TruncatedSvd.Of(weight.View, choice.Rank, seed: context.Seed, threads: context.Threads, cancellation: context.Cancellation);
            using var factors = LayerFactors.Project(svd.Left, weight, context.Threads);
            report.Add(layers[i], choice, svd.SquaredNorm > 0 ? Math.Sqrt(svd.SquaredError(choice.Rank) / svd.SquaredNorm) : 0);
            FactorEdit.Apply(layers[i], factors);
        }

        return report.Result(model);
    }

    private static Spectrum Spectrum(WeightLayer layer, StepContext context)
    {
        if (LayerFactors.Limit(layer) < 1)
        {
            return new([], 0);
        }

        using var weight = LayerFactors.Read(layer);
        using var svd = TruncatedSvd.Of(weight.View, LayerFactors.Limit(layer), seed: context.Seed, threads: context.Threads, cancellation: context.Cancellation);
        return new(svd.Values, svd.SquaredNorm);
    }
}
