using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Quantization.Calibration;
using Build.ML.Quantization.Static;
using Build.ML.Quantization.Weights;
using Build.ML.Training;

namespace Build.ML.Quantization.QuantizationAware;

/// <summary>
/// Trains a model with the rounding in it that integers will do, step sizes included, and writes it as <c>quantize.static</c> does: LSQ (Esser et al. 2020, "Learned Step Size
/// Quantization", arXiv 1902.08153) from scales that calibration found. Where 8 bits lose nothing there is nothing to gain; at 4 bits and fewer it wins back what rounding after training
/// loses. Batch normalization is folded into the layers before it first, so that its statistics are frozen from the start and what is trained is what is written.
/// </summary>
[Technique("quantize.qat")]
[Description("Trains with simulated rounding and learnt step sizes, then stores weights and activations as integers (QDQ format).")]
public sealed class QuantizationAwareTraining : Technique<QuantizationAwareTraining.Options>
{
    /// <summary>Options of <c>quantize.qat</c>: those of training, and how numbers become integers.</summary>
    public sealed record Options : TrainingOptions
    {
        /// <summary>Training starts from a model that works: <c>adamw</c> with a learning rate of 1e-4, and the statistics of batch normalizations that could not be folded
        /// stay.</summary>
        public Options()
        {
            Optimizer = new AdamW { LearningRate = 1e-4 };
            FreezeStatistics = true;
        }

        /// <summary>Losses, whose weighted sum is made small. Default <c>cross_entropy</c>, or with a teacher <c>kl_divergence</c>, which needs no labels.</summary>
        public ImmutableArray<Loss> Losses { get; init; } = [];

        /// <summary>A model to learn from; <c>model</c> is the recipe's own before anything was done to it (self-distillation). Default none: labels.</summary>
        public ModelReference? Teacher { get; init; }

        /// <summary>Whether the step sizes of weights and activations are trained too. Default true. As weights they are named after what they are of: <c>*_step</c> under <c>groups</c>
        /// gives them a pace of their own.</summary>
        public bool LearnStepSizes { get; init; } = true;

        /// <summary>Data from which the step sizes to begin with are found. Default: the training data.</summary>
        public DataReference? Calibration { get; init; }

        /// <summary>How ranges of activations are chosen to begin with: <c>mse</c> (default), <c>min_max</c>, <c>percentile</c> or <c>entropy</c>.</summary>
        public string Calibrator { get; init; } = "mse";

        /// <summary>For <c>percentile</c>: percentage of values that the range keeps on either side of 0. Default 99.99.</summary>
        [Range(50d, 100d)]
        public double Percentile { get; init; } = 99.99;

        /// <summary>Bits of weights: 8 (default), or 4, 3 or 2, stored in 4 bits (needs operator set 21). Signed, symmetric.</summary>
        [AllowedValues(2, 3, 4, 8)]
        public int WeightBits { get; init; } = 8;

        /// <summary>How many weights share a step size. Default <c>per_channel</c>.</summary>
        public Granularity Granularity { get; init; } = Granularity.PerChannel;

        /// <summary>Whether 8-bit weights use 7 bits only, so that u8·s8 sums do not saturate on AVX2 processors without VNNI; trained for it, a model hardly notices. Default false.</summary>
        public bool ReduceRange { get; init; }

        /// <summary>Whether activations are rounded: <c>int8</c> (default), or <c>none</c> to store only weights as integers.</summary>
        public ActivationRounding Activations { get; init; } = ActivationRounding.Int8;

        /// <summary>Bits of activations, 2 to 8. Default 8. Fewer lie in bytes all the same and are kept in range by a Clip: they make nothing faster on CPUs.</summary>
        [Range(2, 8)]
        public int ActivationBits { get; init; } = 8;

        /// <summary>Integer type of activations. Default <c>u8</c>, which ONNX Runtime's x64 kernels take.</summary>
        public QuantizedType ActivationType { get; init; } = QuantizedType.U8;

        /// <summary>Whether 0 maps to the middle of the activation type. Default false: the whole range is used.</summary>
        public bool ActivationSymmetric { get; init; }

        /// <summary>Operators to quantize. Default all that have an integer kernel or a weight.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only nodes that fit one are quantized. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; nodes that fit one are trained but not quantized. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <summary>The losses that are meant.</summary>
        internal ImmutableArray<Loss> AllLosses => Losses.Length > 0 ? Losses : Teacher is null ? [new CrossEntropy()] : [new KullbackLeiblerDivergence()];

        /// <inheritdoc/>
        public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var result in base.Validate(validationContext))
            {
                yield return result;
            }

            if (WeightBits < 8 && ReduceRange)
            {
                yield return new("weights of fewer than 8 bits use all of their range: remove 'reduce_range'.", [nameof(ReduceRange)]);
            }

            if (Activations == ActivationRounding.None && ActivationBits < 8)
            {
                yield return new("'activations: none' rounds none: remove 'activation_bits'.", [nameof(ActivationBits)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var calibrator = ActivationParameters.FindCalibrator(options.Calibrator);
        OpTypeCheck.Require(options.OpTypes, QdqOperatorTable.All().Keys);
        OpsetCheck.Require(model, options.WeightBits < 8 ? 21 : 13, options.WeightBits < 8 ? "a weight stored in 4 bits" : "DequantizeLinear with a scale for each channel");
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        PassPipeline.Of(["fold-batch-norm"]).Run(model);
        var plan = Plan(model, options);
        if (plan.Nodes.Count == 0)
        {
            throw new DiagnosticException("BML5406", $"No layer can be quantized: of {plan.Left.Count} convolutions and products none. Remove the step or widen its selection.");
        }

        var target = new CalibrationTarget(options.ActivationType, options.ActivationSymmetric, options.ActivationBits, options.Percentile);
        var activations = ActivationParameters.Calibrate(model, plan, calibrator, target, options.Calibration ?? options.Data, context);
        var format = new WeightFormat(QuantizedType.S8, options.Granularity, options.ReduceRange) { Bits = options.WeightBits };
        var weights = new WeightTable(new WeightQuantizer(format, context.Threads));
        using var trained = model.Clone();
        var trainable = new TrainableQuantization(trained.Graph, Plan(trained, options), activations, weights, options.LearnStepSizes);
        var training = Train(model, trained, trainable, options, context);

        var learnt = new LearntQuantization(model, plan, activations, weights);
        learnt.Take(trained, trainable);
        var layers = plan.Nodes.Select(n => (Node: n, Name: LayerNames.Of(n.Node), n.Node.OpType)).ToArray();
        var left = plan.Left.Select(l => new LayerOutcome(LayerNames.Of(l.Node), l.Node.OpType, "left", l.Reason, [])).ToArray();
        var writer = new QdqWriter(model.Graph, plan, activations, weights);
        writer.Write();
        return new StepResult(model)
        {
            Layers = [.. layers.Select(l => Outcome(l.Node, l.Name, l.OpType, options, writer, learnt)), .. left],
            Notes = [.. training.Notes, .. SaturationNotes(options, context)],
        };
    }

    private static TrainingResult Train(Model model, Model trained, TrainableQuantization trainable, Options options, StepContext context)
    {
        // Asked before fake quantization stands between weights and their layers.
        var names = model.Graph.Initializers.Where(i => i.ElementType == Graph.DataType.Float && TrainableWeights.IsWeight(i)).Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        trainable.Write();
        names.UnionWith(trainable.StepNames);
        using var teacher = options.Teacher is { } reference ? context.Model(reference) : null;
        return new Trainer(context).Fit(trained, new TrainingPlan
        {
            Options = options,
            Losses = options.AllLosses,
            Trainable = value => names.Contains(value.Name),
            Teachers = teacher is null ? [] : [teacher],
            Phase = "quantization-aware training",
        });
    }

    private static QdqPlan Plan(Model of, Options options) => QdqPlan.Of(
        of, new LayerSelection(of, options.OpTypes, options.Include, options.Exclude), new Dictionary<int, LayerTreatment>(),
        options.Activations == ActivationRounding.None ? LayerTreatment.WeightOnly : LayerTreatment.Quantize);

    private static LayerOutcome Outcome(QdqNode layer, string name, string opType, Options options, QdqWriter writer, LearntQuantization learnt)
    {
        var figures = ImmutableArray.CreateBuilder<KeyValuePair<string, double>>();
        figures.Add(new("bits", layer.Form.Weight is null ? options.ActivationBits : options.ReduceRange ? 7 : options.WeightBits));
        if (writer.Scales.TryGetValue(layer.Node, out var scales))
        {
            figures.Add(new("weight_sqnr_db", scales.SqnrDecibels));
        }

        if (options.LearnStepSizes && learnt.Changes.TryGetValue(layer.Node, out var change))
        {
            figures.Add(new("weight_step_change", change.Weight));
            if (change.Input is { } input)
            {
                figures.Add(new("input_step_change", input));
            }
        }

        return new(
            name, opType, layer.WeightOnly ? "weight_only" : "quantized", layer.Form.Kernel is null ? $"ONNX Runtime has no integer {opType} for CPUs" : "", figures.ToImmutable());
    }

    private static IEnumerable<string> SaturationNotes(Options options, StepContext context) =>
        options is { Activations: ActivationRounding.Int8, ActivationType: QuantizedType.U8, ActivationBits: 8, WeightBits: 8, ReduceRange: false }
            ? [SaturationProbe.Tell(context.Inference) + " 'reduce_range: true' avoids that."]
            : [];
}
