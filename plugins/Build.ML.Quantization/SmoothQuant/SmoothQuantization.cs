using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Shapes;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Dynamic;
using Build.ML.Quantization.Folding;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.SmoothQuant;

/// <summary>
/// SmoothQuant (Xiao et al. 2022, arXiv 2211.10438): outliers of activations are divided by scales, which the weights of the next layers are multiplied with, so that both round well to 8 bits;
/// the division is folded into what makes the activation and costs nothing. Then weights and activations of matrix products are rounded to 8 bits.
/// </summary>
[Technique("quantize.smoothquant")]
[Description("Moves outliers of activations into weights by folded scales (SmoothQuant), then rounds both to 8 bits.")]
public sealed class SmoothQuantization : Technique<SmoothQuantization.Options>
{
    private const int SampledRows = 256;

    /// <summary>Options of <c>quantize.smoothquant</c>.</summary>
    public sealed record Options
    {
        /// <summary>Calibration data.</summary>
        public required DataReference Data { get; init; }

        /// <summary>Migration strength, 0 (all difficulty stays in activations) to 1 (all moves to weights). Default: searched for each group on its output error; the authors use 0.5.</summary>
        [Range(0d, 1d)]
        public double? Alpha { get; init; }

        /// <summary>Strengths tried when <c>alpha</c> is not given, spread over [0, 1]. Default 20.</summary>
        [Range(1, 100)]
        public int Steps { get; init; } = 20;

        /// <summary>How activations are rounded: <c>dynamic</c> (default), <c>static</c>, or <c>none</c> to leave rounding to a later step.</summary>
        public ActivationForm Activations { get; init; } = ActivationForm.Dynamic;

        /// <summary>Whether weights use 7 bits only, so that u8·s8 sums do not saturate on AVX2 processors without VNNI. Default false.</summary>
        public bool ReduceRange { get; init; }

        /// <summary>Whether a product is put before groups whose scales fit into nothing before them. Default false.</summary>
        public bool InsertScales { get; init; }

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are smoothed and quantized. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        ShapeInference.Run(model);
        var found = WeightLayers.Find(model, new LayerSelection(model, [], options.Include, options.Exclude), "MatMul", "Gemm");
        var scaled = new GroupScaling(model, options.InsertScales, options.Alpha is null ? SampledRows : 0, context).Run(
            found.Layers, options.Data, (group, inputs, ties) => Choose(new SmoothingSearch(group, context.Threads), inputs, ties, options));
        var smoothed = new Dictionary<string, LayerOutcome>(StringComparer.Ordinal);
        foreach (var layer in found.Layers)
        {
            smoothed.TryAdd(layer.Name, scaled[layer.Node].OutcomeOf(layer)); // layers of subgraphs may share a name
        }

        if (options.Activations == ActivationForm.None)
        {
            return new StepResult(model)
            {
                Layers = [.. smoothed.Values, .. found.Left.Select(l => l.Outcome)],
                Notes = ["Weights and activations are still floats: round them in a later step."],
            };
        }

        var rounded = options.Activations == ActivationForm.Static
            ? new StaticQuantization().Apply(
                model,
                new() { Data = options.Data, OpTypes = ["MatMul", "Gemm"], Include = options.Include, Exclude = options.Exclude, ReduceRange = options.ReduceRange },
                context)
            : new DynamicQuantization().Apply(
                model, new() { OpTypes = ["MatMul", "Gemm"], Include = options.Include, Exclude = options.Exclude, ReduceRange = options.ReduceRange }, context);
        return rounded with { Layers = [.. rounded.Layers.Select(l => With(l, smoothed))] };
    }

    private static ScaleChoice? Choose(SmoothingSearch search, GroupInputs inputs, ChannelTies ties, Options options)
    {
        if (options.Alpha is { } alpha)
        {
            return new(search.Scales(inputs.Largest, ties, alpha), [new("alpha", alpha)]);
        }

        var (best, scales, error, without) = search.Best(inputs.Rows, inputs.Largest, ties, options.Steps);
        return error < without ? new(scales, [new("alpha", best), new("smooth_error_ratio", error / without)]) : null;
    }

    // The quantizer's line, with what smoothing did.
    private static LayerOutcome With(LayerOutcome rounded, Dictionary<string, LayerOutcome> smoothed)
    {
        if (!smoothed.TryGetValue(rounded.Layer, out var outcome))
        {
            return rounded;
        }

        var reason = outcome.Outcome == "scaled" || rounded.Outcome == "left" ? rounded.Reason
            : rounded.Reason.Length > 0 ? $"{rounded.Reason}; {outcome.Reason}" : outcome.Reason;
        return rounded with { Reason = reason, Figures = [.. rounded.Figures, .. outcome.Figures] };
    }
}
