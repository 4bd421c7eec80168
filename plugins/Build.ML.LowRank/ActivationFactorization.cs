using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Passes;
using Build.ML.LowRank.Activation;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank;

/// <summary>
/// As <see cref="SvdFactorization"/>, but the pair of layers changes the outputs least on what the layer really reads: the decomposition is of the weight whitened by the Cholesky factor of its
/// inputs' second moments (SVD-LLM, Wang et al. 2024, arXiv 2403.07378). Scaling by the inputs' sizes alone (ASVD, Yuan et al. 2023, arXiv 2312.05821) is the special case of inputs that are
/// independent of each other. As W' = Leftᵀ·Left·W, with the left singular vectors of the whitened weight, nothing needs to be divided by the factor.
/// </summary>
[Technique("lowrank.activation")]
[Description("Splits layers into two of low rank so that their outputs change least on calibration data (SVD-LLM).")]
public sealed class ActivationFactorization : Technique<ActivationFactorization.Options>
{
    /// <summary>Options of <c>lowrank.activation</c>.</summary>
    public sealed record Options : RankOptions
    {
        /// <summary>Calibration data: inputs such as the model will meet; labels are not used. 256 samples are usual for language models.</summary>
        [Required]
        public required DataReference Data { get; init; }

        /// <summary>Samples of the data to use, the first ones. Default 0: all.</summary>
        [Range(0, int.MaxValue)]
        public int Samples { get; init; }

        /// <summary>What is added to the diagonal of the inputs' second moments, over its mean: more is nearer to <c>lowrank.svd</c>. Raised tenfold where factoring fails. Default 0.01.</summary>
        [Range(0d, 100d)]
        public double Dampening { get; init; } = 0.01;

        /// <summary>
        /// Whether each layer is fitted to what the layers before it give once they are factored: its outputs on those inputs are brought near to the outputs of the layer as it was on the
        /// inputs as they were. Runs the model as it was beside the other. Default true; false calibrates all on the unchanged model, whose statistics are kept in the cache for other steps.
        /// </summary>
        public bool Sequential { get; init; } = true;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        new ConstantsToInitializers().Run(model); // a factored layer's weight is replaced while the model runs
        var found = LowRankLayers.Find(model, options.OpTypes, options.Include, options.Exclude);
        var (groups, unreached) = InputGroup.Of(model, found.Layers.Select((layer, i) => new NumberedLayer(i, layer)));
        var report = new FactorReport([.. found.Left, .. unreached.SelectMany(u => u.Layer.Layer.Readers.Select(r => LowRankLayers.LeftNode(r.Node, u.Reason)))]);
        var limited = FirstSamples.In(context, options.Samples);
        var rule = options.Rule(model, () => Spectra(model, groups, options, limited), context);
        var all = new List<(WeightLayer Layer, LayerFactors Factors)>();
        try
        {
            using IHessianSource source = options.Sequential
                ? new SequentialHessians(model, limited.Data(options.Data), true, context) : new StageHessians(model, options.Data, groups, limited);
            for (var i = 0; i < groups.Length; i++)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                context.Progress.Report(new((double)i / groups.Length, $"inputs {i + 1}/{groups.Length} of {groups[i].Layers[0].Layer.Name}"));
                Factor(groups[i], source, rule, options, context, report, all);
            }

            foreach (var (layer, factors) in all)
            {
                FactorEdit.Apply(layer, factors);
            }
        }
        finally
        {
            all.ForEach(a => a.Factors.Dispose());
        }

        return report.Result(model);
    }

    private static void Factor(
        InputGroup group, IHessianSource source, RankRule rule, Options options, StepContext context, FactorReport report, List<(WeightLayer, LayerFactors)> all)
    {
        using var moments = source.Of(group);
        using var whitening = Whitening.Of(moments.Matrices[0], options.Dampening, context.Threads, context.Cancellation);
        var drifts = moments.TakeDrifts();
        foreach (var (_, layer) in group.Layers)
        {
            using var stored = LayerFactors.Read(layer);
            using var adapted = drifts is null ? null : whitening.Adapt(stored, drifts[0], context.Threads);
            var weight = adapted ?? stored;
            using var whitened = whitening.Whiten(weight, context.Threads);
            var choice = rule.Choose(layer, () => Spectrum.Of(whitened, LayerFactors.Limit(layer), context));
            if (choice.Rank == 0)
            {
                report.Leave(layer, choice.Reason);
                continue;
            }

            using var svd = TruncatedSvd.Of(whitened.View, choice.Rank, seed: context.Seed, threads: context.Threads, cancellation: context.Cancellation);
            var basis = new FloatMatrix(choice.Rank, layer.Rows);
            for (var k = 0; k < choice.Rank; k++)
            {
                svd.Left.Row(k).CopyTo(basis.Row(k));
            }

            var factors = LayerFactors.Project(basis, weight, context.Threads);
            all.Add((layer, factors));
            report.Add(layer, choice, svd);
            if (options.Sequential)
            {
                layer.Weight.Graph.SetInitializer(layer.Weight, layer.Restore(factors.Row));
            }
        }

        Array.ForEach(drifts ?? [], d => d.Dispose());
    }

    private static IReadOnlyList<(WeightLayer Layer, Spectrum Spectrum)> Spectra(
        Model model, ImmutableArray<InputGroup> groups, Options options, StepContext context)
    {
        var spectra = new List<(WeightLayer, Spectrum)>();
        using var source = new StageHessians(model, options.Data, groups, context);
        foreach (var group in groups)
        {
            using var moments = source.Of(group);
            using var whitening = Whitening.Of(moments.Matrices[0], options.Dampening, context.Threads, context.Cancellation);
            foreach (var (_, layer) in group.Layers)
            {
                using var weight = LayerFactors.Read(layer);
                using var whitened = whitening.Whiten(weight, context.Threads);
                spectra.Add((layer, Spectrum.Of(whitened, LayerFactors.Limit(layer), context)));
            }
        }

        return spectra;
    }
}
