using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
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
    public sealed record Options : WeightFormOptions
    {
        /// <summary>Calibration data: some ten to a hundred samples like those in use.</summary>
        public required DataReference Data { get; init; }

        /// <summary>Values of the exponent α tried, spread over [0, 1]. Default 20, as the authors'.</summary>
        [Range(1, 100)]
        public int Steps { get; init; } = 20;

        /// <summary>Factors tried for the range of each block, from 1.05 down; 0 rounds plainly. Default 40.</summary>
        [Range(0, 200)]
        public int ClipSteps { get; init; } = 40;

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
        var scaled = Scale(model, LayerGroup.Of(found.Layers), options, context);
        if (!options.Quantize)
        {
            return new StepResult(model)
            {
                Layers = [.. found.Layers.Select(l => OutcomeOf(l, scaled)), .. found.Left.Select(l => l.Outcome)],
                Notes = ["The weights are still floats: round them in a later step."],
            };
        }

        // The weights have other constants now.
        found = WeightLayers.Find(model, Selection(model, options), "MatMul", "Gemm");
        var layers = new ClippedRounding(model, options, options.ClipSteps, context).Round(found, options.Data, l => FiguresOf(l, scaled));
        return new StepResult(model) { Layers = layers, Notes = FormNotes(options) };
    }

    private static LayerSelection Selection(Model model, Options options) => new(model, options.OpTypes, options.Include, options.Exclude);

    private static ImmutableArray<string> FormNotes(Options options) =>
        options.AccuracyLevel == 4 && options.Form == WeightForm.MatmulNbits
            ? ["accuracy_level 4 rounds activations to 8 bits at run time: measure what it does to answers, 0 leaves them as they are."] : [];

    /// <summary>Searches and folds; by layer name what became of its group.</summary>
    private static Dictionary<string, GroupScales> Scale(Model model, ImmutableArray<LayerGroup> groups, Options options, StepContext context)
    {
        var rules = FoldWalk.AllRules();
        var folds = groups.Where(g => g.Activation.Graph == model.Graph && g.Layers.All(l => l.Node.Graph == model.Graph))
            .Select(g => (Group: g, Fold: ScaleFold.Find(g, rules, options.InsertScales))).ToArray();
        var result = new Dictionary<string, GroupScales>(StringComparer.Ordinal);
        foreach (var layer in groups.SelectMany(g => g.Layers))
        {
            result[layer.Name] = new(null, 1, "its input is inside a subgraph, which calibration does not see");
        }

        var order = GroupOrder.Of(model.Graph, folds.Select(f => f.Group));
        var chosen = new List<(ScaleFold Fold, float[] Scales)>();
        using (var run = new StreamedExecution(model, context.Data(options.Data), context))
        {
            var done = 0;
            foreach (var (group, first) in order)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                context.Progress.Report(new(0.5 * done++ / order.Length, $"searching scales of {group.Name}"));
                var fold = folds.First(f => f.Group == group).Fold;
                var scales = new GroupScales(fold, 1, fold.IsPossible ? "" : fold.Reason);
                if (fold.IsPossible)
                {
                    using var inputs = GroupInputs.Observe(run, group, first, context.Threads);
                    var (best, error, without) = new ScaleSearch(group, options.Format, context.Threads).Best(inputs, fold.Ties, options.Steps);
                    scales = scales with { ErrorRatio = without > 0 ? error / without : 1 };
                    if (error < without)
                    {
                        chosen.Add((fold, best));
                    }
                }

                foreach (var layer in group.Layers)
                {
                    result[layer.Name] = scales;
                }
            }
        }

        // Folding changes nodes that ran: only now.
        foreach (var (fold, scales) in chosen)
        {
            fold.Apply(scales);
        }

        return result;
    }

    private static LayerOutcome OutcomeOf(WeightLayer layer, Dictionary<string, GroupScales> scaled)
    {
        var (fold, ratio, reason) = scaled[layer.Name];
        return fold is { IsPossible: true }
            ? new(layer.Name, layer.OpType, ratio < 1 ? "scaled" : "left", ratio < 1 ? $"scales in {fold.Target}" : "no scales lower its error", [new("scale_error_ratio", ratio)])
            : new(layer.Name, layer.OpType, "left", $"not scaled: {reason}", []);
    }

    private static (string Reason, ImmutableArray<KeyValuePair<string, double>> Figures) FiguresOf(WeightLayer layer, Dictionary<string, GroupScales> scaled)
    {
        var (fold, ratio, reason) = scaled[layer.Name];
        return fold is { IsPossible: true } ? ("", [new("scale_error_ratio", ratio)]) : ($"not scaled: {reason}", []);
    }

    private sealed record GroupScales(ScaleFold? Fold, double ErrorRatio, string Reason);
}
