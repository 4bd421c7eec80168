using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Shapes;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Awq;

/// <summary>
/// Activation-aware weight quantization (Lin et al. 2023, arXiv 2306.00978): scales that protect the input channels with large activations are searched on the output error of each
/// group of layers that share an input, and folded into what makes that input, so that they cost nothing at run time; then the weights are rounded with the range of each block
/// searched on the output error.
/// </summary>
[Technique("quantize.awq")]
[Description("Rounds weights to few bits with scales and clipping searched on calibration data (AWQ); the scales are folded into the layers before.")]
public sealed class AwqQuantization : Technique<AwqQuantization.Options>
{
    /// <summary>Options of <c>quantize.awq</c>.</summary>
    public sealed record Options : UniformBitsOptions
    {
        /// <summary>Calibration data: some ten to a hundred samples like those in use.</summary>
        public required DataReference Data { get; init; }

        /// <summary>Values of the exponent α tried, spread over [0, 1]. Default 20, as the authors'.</summary>
        [Range(1, 100)]
        public int Steps { get; init; } = 20;

        /// <summary>Factors tried for the range of each block, from 1.05 down; 0 rounds plainly. Default 40.</summary>
        [Range(0, 200)]
        public int ClipSteps { get; init; } = 40;

        /// <summary>
        /// Sweeps of coordinate descent over the codes after that, as in QuantEase (Behdin et al. 2023, arXiv 2309.01885): weights no longer take the nearest code but the one that makes up for the errors
        /// of others. Beyond AWQ's paper. Default 0.
        /// </summary>
        [Range(0, 100)]
        public int Refinements { get; init; }

        /// <summary>Whether a product is put before groups whose scales fit into nothing before them. It takes time at each run. Default false: such groups get no scales.</summary>
        public bool InsertScales { get; init; }

        /// <summary>Whether to round the weights. Default true; false only folds the scales in, so that another step, such as <c>quantize.gptq</c>, rounds.</summary>
        public bool Quantize { get; init; } = true;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        OpTypeCheck.Require(options.OpTypes, ["MatMul", "Gemm"]);
        ShapeInference.Run(model);
        var found = WeightLayers.Find(model, Selection(model, options), "MatMul", "Gemm");
        var scaled = new GroupScaling(model, options.InsertScales, 0, context).Run(found.Layers, options.Data, (group, inputs, ties) =>
        {
            var (scales, error, without) = new ScaleSearch(group, options.Format, context.Threads).Best(inputs, ties, options.Steps);
            return error < without ? new(scales, [new("scale_error_ratio", error / without)]) : null;
        });
        if (!options.Quantize)
        {
            return new StepResult(model)
            {
                Layers = [.. found.Layers.Select(l => scaled[l.Node].OutcomeOf(l)), .. found.Left.Select(l => l.Outcome)],
                Notes = ["The weights are still floats: round them in a later step."],
            };
        }

        // The weights have other constants now.
        found = WeightLayers.Find(model, Selection(model, options), "MatMul", "Gemm");
        var layers = new ClippedRounding(model, options, options.ClipSteps, options.Refinements, context).Round(found, options.Data, l => FiguresOf(scaled[l.Node]));
        return new StepResult(model) { Layers = layers, Notes = FormNotes(options) };
    }

    private static LayerSelection Selection(Model model, Options options) => new(model, options.OpTypes, options.Include, options.Exclude);

    private static ImmutableArray<string> FormNotes(Options options) =>
        options.AccuracyLevel == 4 && options.Form == WeightForm.MatmulNbits
            ? ["accuracy_level 4 rounds activations to 8 bits at run time: measure what it does to answers, 0 leaves them as they are."] : [];

    private static (string Reason, ImmutableArray<KeyValuePair<string, double>> Figures) FiguresOf(GroupScales scales) =>
        (scales.Reason.Length > 0 ? $"not scaled: {scales.Reason}" : "", scales.Choice?.Figures ?? []);
}
