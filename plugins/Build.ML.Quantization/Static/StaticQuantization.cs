using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Calibration;
using Build.ML.Quantization.Static.Equalization;
using Build.ML.Quantization.Static.Rounding;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Static;

/// <summary>
/// 8-bit weights and activations with scales known beforehand from calibration data, in the QDQ format (QuantizeLinear and DequantizeLinear around operators), which ONNX
/// Runtime turns into integer kernels. Jacob et al. 2018; ONNX operators QuantizeLinear, DequantizeLinear.
/// </summary>
[Technique("quantize.static")]
[Description("Stores weights and activations as 8-bit integers under scales from calibration data (QDQ format).")]
public sealed class StaticQuantization : Technique<StaticQuantization.Options>
{
    /// <summary>Options of <c>quantize.static</c>.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Calibration data: inputs such as the model will meet; labels are not used. A few hundred samples are usual.</summary>
        [Required]
        public required DataReference Data { get; init; }

        /// <summary>How ranges of activations are chosen: <c>min_max</c>, <c>percentile</c>, <c>entropy</c> or <c>mse</c>. Default <c>min_max</c>.
        /// <c>entropy</c> gives up the tails of peaked distributions: the PP-OCR detector likes that (10 dB instead of 4), the recognizer reads nothing any more. (ONNX Runtime's own
        /// tool, with its defaults of 128 bins for 128 levels, has one threshold to choose from, the whole range: its entropy is <c>min_max</c>.)</summary>
        public string Calibrator { get; init; } = "min_max";

        /// <summary>For <c>percentile</c>: percentage of values that the range keeps on either side of 0. Default 99.99.</summary>
        [Range(50d, 100d)]
        public double Percentile { get; init; } = 99.99;

        /// <summary>Integer type of weights. Default <c>s8</c>, symmetric; <c>u8</c> is asymmetric.</summary>
        public QuantizedType WeightType { get; init; } = QuantizedType.S8;

        /// <summary>Integer type of activations. Default <c>u8</c>, which ONNX Runtime's x64 kernels take.</summary>
        public QuantizedType ActivationType { get; init; } = QuantizedType.U8;

        /// <summary>Whether 0 maps to the middle of the activation type. Default false: the whole range is used.</summary>
        public bool ActivationSymmetric { get; init; }

        /// <summary>How many weights share a scale. Default <c>per_channel</c>, which needs operator set 13.</summary>
        public Granularity Granularity { get; init; } = Granularity.PerChannel;

        /// <summary>Whether weights use 7 bits only, so that u8·s8 sums do not saturate on AVX2 processors without VNNI. Default false.</summary>
        public bool ReduceRange { get; init; }

        /// <summary>Operators to quantize. Default all that have an integer kernel or a weight.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only nodes that fit one are quantized. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; nodes that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <summary>Bits of weights: 8 (default), or 4, 3 or 2, stored in 4 bits (needs operator set 21), signed, with scales of least squared error. The runtime
        /// unpacks them when it loads the model, so that the file is smaller and the speed that of 8 bits.</summary>
        [AllowedValues(2, 3, 4, 8)]
        public int WeightBits { get; init; } = 8;

        /// <summary>Whether activations are rounded: <c>int8</c> (default), or <c>none</c> to store only weights as integers: the file of few bits, the speed of fp32.</summary>
        public ActivationRounding Activations { get; init; } = ActivationRounding.Int8;

        /// <summary>Bits of activations, 2 to 8. Default 8. Fewer lie in bytes all the same and are kept in range by a Clip: they make nothing faster on CPUs, and cost accuracy that only
        /// <c>quantize.qat</c> wins back.</summary>
        [Range(2, 8)]
        public int ActivationBits { get; init; } = 8;

        /// <summary>How weights are rounded: to the <c>nearest</c> integer (default), or by <c>adaround</c>, learnt so that each layer's output stays near on the calibration
        /// data (Nagel et al. 2020): minutes instead of seconds, worth it at 4 bits and fewer.</summary>
        public WeightRounding Rounding { get; init; } = WeightRounding.Nearest;

        /// <summary>How <c>adaround</c> learns.</summary>
        public AdaRoundOptions Adaround { get; init; } = new();

        /// <summary>Whether channels of neighbouring layers are scaled so that their weights have equal ranges, before anything is rounded (Nagel et al. 2019, §4.1): the model
        /// computes the same, and one scale a tensor is nearly as good as one a channel. Default false. Pairs with a Clip (ReLU6) between them are left.</summary>
        public bool Equalize { get; init; }

        /// <summary>Whether biases are moved so that the mean of each channel of each layer is the real model's on the calibration data (Nagel et al. 2019, §4.2). Default
        /// false. A convolution or Gemm without bias gets one; a MatMul cannot. Measure what it does: right means do not make up for coarse rounding (with 4-bit weights to the nearest,
        /// resnet20 loses 1.5 points by it; with 8 bits or learnt rounding it changes nothing that 2,000 images could show).</summary>
        public bool BiasCorrection { get; init; }

        /// <summary>Takes out layers by measured sensitivity until a target holds. Default none: everything chosen is quantized.</summary>
        public Sensitivity? Sensitivity { get; init; }

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (WeightBits < 8 && (WeightType != QuantizedType.S8 || ReduceRange))
            {
                yield return new("weights of fewer than 8 bits are signed and use all of their range: remove 'weight_type' and 'reduce_range'.", [nameof(WeightBits)]);
            }

            if (Activations == ActivationRounding.None && Sensitivity is not null)
            {
                yield return new("'sensitivity' takes layers out of 8-bit activations, and 'activations: none' has none.", [nameof(Sensitivity)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var calibrator = ActivationParameters.FindCalibrator(options.Calibrator);
        OpTypeCheck.Require(options.OpTypes, QdqOperatorTable.All().Keys);
        OpsetCheck.Require(model, options.Granularity == Granularity.PerChannel ? 13 : 10, "DequantizeLinear with a scale for each channel");
        OpsetCheck.Require(model, options.WeightBits < 8 ? 21 : 10, "a weight stored in 4 bits");
        var report = new StaticReport(options);
        if (options.Equalize)
        {
            report.Add(CrossLayerEqualization.Apply(model));
        }

        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var plan = Plan(model);
        if (plan.Nodes.Count == 0)
        {
            throw new DiagnosticException(
                "BML5406",
                $"No layer can be quantized: of {plan.Left.Count} convolutions and products "
                + $"{(plan.Left.Count == 0 ? "none exists" : $"each stays, the first because {plan.Left[0].Reason}")}. Remove the step or widen its selection.");
        }

        if (options.BiasCorrection && Biases.Ensure(plan))
        {
            plan = Plan(model);
        }

        var data = context.Data(options.Data);
        var target = new CalibrationTarget(options.ActivationType, options.ActivationSymmetric, options.ActivationBits, options.Percentile);
        var activations = ActivationParameters.Calibrate(model, plan, calibrator, target, options.Data, context);
        var format = new WeightFormat(options.WeightType, options.Granularity, options.ReduceRange) { Bits = options.WeightBits };
        var weights = new WeightTable(new WeightQuantizer(format, context.Threads));
        if (options.BiasCorrection || options.Rounding == WeightRounding.Adaround)
        {
            var reconstruction = new SequentialReconstruction(model, plan, Simulate, weights, context);
            reconstruction.Run(data, options.Rounding == WeightRounding.Adaround ? options.Adaround : null, options.BiasCorrection);
            report.Add(reconstruction);
        }

        if (options.Sensitivity is { } sensitivity)
        {
            var scale = SensitivityScale.Of(sensitivity, options.Data, model, context);
            var found = new SensitivitySearch(model, selection, activations, weights, scale, context).Run(sensitivity.Fallback);
            plan = QdqPlan.Of(model, selection, found.Treatment);
            report.Add(found);
        }

        report.AddSaturation(context.Inference);
        report.Note(model, plan);
        var writer = new QdqWriter(model.Graph, plan, activations, weights);
        writer.Write();
        return new StepResult(model) { Layers = report.Layers(writer.Scales), Notes = report.Notes() };

        QdqPlan Plan(Model of) => QdqPlan.Of(
            of, selection, new Dictionary<int, LayerTreatment>(),
            options.Activations == ActivationRounding.None ? LayerTreatment.WeightOnly : LayerTreatment.Quantize);

        (Model, Node[]) Simulate(Model of)
        {
            var copy = of.Clone();
            var nodes = copy.Graph.Nodes.ToArray();
            new QdqWriter(copy.Graph, Plan(copy), activations, weights, simulate: true).Write();
            return (copy, nodes);
        }
    }
}
