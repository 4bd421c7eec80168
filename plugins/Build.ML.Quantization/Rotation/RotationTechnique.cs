using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Shapes;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Rotates the residual streams and the attention values of a transformer (QuaRot, Ashkboos et al. 2024, arXiv 2404.00456), folded into weights: the same function, from float weights that round
/// better. Gammas move into the layers that read what they scale; streams that pass LayerNormalization get rotations that keep means. Without data the rotations are randomized Hadamard matrices,
/// which spread outliers; with data they and the scales of each layer's inputs are then learned, so that rounding to the format given makes the least error in the layers' outputs. A later step quantizes.
/// </summary>
[Technique("quantize.rotate")]
[Description("Rotates a transformer's residual stream and attention values, folded into its weights, so that a later step rounds them better (QuaRot, SpinQuant).")]
public sealed class RotationTechnique : Technique<RotationTechnique.Options>
{
    /// <summary>Options of <c>quantize.rotate</c>.</summary>
    public sealed record Options
    {
        /// <summary>Calibration data, to learn rotations; without it they are random Hadamard matrices. Learning holds all weights in memory as float32: for models up to about a billion weights.</summary>
        public DataReference? Data { get; init; }

        /// <summary>Steps of learning. Default 300; 0 only chooses the best of some random rotations.</summary>
        [Range(0, 10000)]
        public int Iterations { get; init; } = 300;

        /// <summary>Bits that weights will be rounded to by the next step, for which rotations are learned: 2, 3, 4 or 8. Default 4.</summary>
        [AllowedValues(2, 3, 4, 8)]
        public int Bits { get; init; } = 4;

        /// <summary>Inputs that will share a scale: 16, 32, 64, 128 or 256, or 0 for all of them. Default 32.</summary>
        [AllowedValues(0, 16, 32, 64, 128, 256)]
        public int BlockSize { get; init; } = 32;

        /// <summary>Whether the next step rounds symmetrically. Default true.</summary>
        public bool Symmetric { get; init; } = true;

        /// <summary>Whether values of attentions are rotated head by head. Default true.</summary>
        public bool ValueHeads { get; init; } = true;

        /// <summary>
        /// Whether inputs that nothing before can rotate (those of down projections) are rotated by a product at run time, of channels² multiplications a row. Default false.
        /// </summary>
        public bool Online { get; init; }

        /// <summary>Whether scales of layers' inputs are learned too; needs <c>data</c>. Default true.</summary>
        public bool Scales { get; init; } = true;
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        ShapeInference.Run(model);
        var (streams, left) = ResidualStream.Find(model.Graph);
        var outcomes = left.DistinctBy(l => l.Reason).Select(l => new LayerOutcome(l.Seed.Name, l.Seed.Producer?.OpType ?? "", "left", l.Reason, [])).ToList();
        outcomes.AddRange(model.AllNodes.Where(n => n.Graph != model.Graph && n.OpType.EndsWith("Normalization", StringComparison.Ordinal)).Select(
            n => new LayerOutcome(LayerNames.Of(n), n.OpType, "left", "inside a subgraph", [])));
        foreach (var stream in streams)
        {
            stream.MoveGammas();
        }

        var layers = WeightLayers.Find(model, new LayerSelection(model, [], [], []), "MatMul", "Gemm").Layers;
        var groups = GroupOrder.Of(model.Graph, LayerGroup.Of(layers).Where(g => g.Activation.Graph == model.Graph)).Select(g => g.Group).ToImmutableArray();
        var rules = FoldWalk.AllRules();
        ImmutableArray<ValueHeads> heads = options.ValueHeads ? [.. groups.Select(g => ValueHeads.Of(g, rules)).OfType<ValueHeads>()] : [];
        if (streams.IsEmpty && heads.IsEmpty)
        {
            throw new DiagnosticException(
                "BML5450",
                "Nothing can be rotated: " + (left.IsEmpty ? "the main graph has no normalization over a last dimension of known size, and no attention values between two constant products."
                    : $"the stream of '{left[0].Seed.Name}' cannot because {left[0].Reason}.") + " Remove the step.");
        }

        var random = new Random((int)(context.Seed ^ (context.Seed >> 32)));
        var plan = new RotationPlan(streams, heads, groups, rules);
        var (transforms, before, after) = options.Data is { } data
            ? plan.Learn(model, data, options, random, context)
            : (plan.Random(random), double.NaN, double.NaN);
        plan.Apply(model, transforms, context.Threads);
        outcomes.AddRange(plan.Outcomes(transforms));
        if (options.Online)
        {
            outcomes.AddRange(plan.RotateOnline(model, random, context.Threads));
        }

        ImmutableArray<string> notes = ["The weights are still floats: round them in a later step."];
        return new StepResult(model)
        {
            Layers = [.. outcomes],
            Notes = double.IsNaN(before) ? notes
                : [.. notes, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Rounding to nearest would now make {after / before:0.00} times the output error that it made before rotating.")],
        };
    }
}
