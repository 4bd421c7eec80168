using System.Collections.Immutable;
using System.ComponentModel;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Dynamic;

/// <summary>
/// Stores the weights of matrix products and embeddings as 8-bit integers and multiplies by integers, rounding activations at run time under
/// the extremes of each input: no calibration data is needed. For ONNX Runtime's CPU kernels (DynamicQuantizeMatMul, MatMulIntegerToFloat). The
/// model is read and written tensor by tensor.
/// </summary>
[Technique("quantize.dynamic")]
[Description("Stores weights of matrix products and embeddings as 8-bit integers; activations are rounded at run time, without calibration data.")]
public sealed class DynamicQuantization : Technique<DynamicQuantization.Options>
{
    // Have weights worth naming, and no rule.
    private static readonly ImmutableHashSet<string> Others = ["Conv", "ConvTranspose", "LSTM", "GRU", "RNN"];

    /// <summary>Options of <c>quantize.dynamic</c>.</summary>
    public sealed record Options
    {
        /// <summary>Integer type of the weights. Default <c>s8</c>, symmetric and fastest; <c>u8</c>, asymmetric, is exact on processors without VNNI.</summary>
        public QuantizedType WeightType { get; init; } = QuantizedType.S8;

        /// <summary>How many weights share a scale. Default <c>per_channel</c>: one scale for each output.</summary>
        public Granularity Granularity { get; init; } = Granularity.PerChannel;

        /// <summary>Whether weights use 7 bits only, so that u8·s8 sums do not saturate on AVX2 processors without VNNI. Default false.</summary>
        public bool ReduceRange { get; init; }

        /// <summary>Operators to quantize, of MatMul, Gemm, Gather. Default all of them.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are quantized. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var operators = Catalog<DynamicOperator>.Scan(typeof(DynamicOperator).Assembly).ToDictionary(e => e.Name, e => e.Create());
        OpTypeCheck.Require(options.OpTypes, operators.Keys);
        OpsetCheck.Require(model, 11, "DynamicQuantizeLinear");
        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var format = new WeightFormat(options.WeightType, options.Granularity, options.ReduceRange);
        var rewriter = new DynamicRewriter(new WeightQuantizer(format, context.Threads));
        var nodes = model.AllNodes.Where(n => n.Domain.Length == 0 && operators.ContainsKey(n.OpType)).ToArray();
        var layers = ImmutableArray.CreateBuilder<LayerOutcome>();
        var quantized = 0;
        for (var i = 0; i < nodes.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / nodes.Length, "quantizing"));
            var node = nodes[i];
            var rule = operators[node.OpType];
            var weight = node.Input(rule.WeightInput);
            if (weight?.Constant is not { Type: DataType.Float })
            {
                // Products of activations, look-ups in integer tables: not what this technique is about.
                continue;
            }

            var layer = LayerNames.Of(node);
            if ((selection.ReasonToLeave(node) ?? rule.Obstacle(node)) is { } reason)
            {
                layers.Add(new(layer, node.OpType, "left", reason, []));
                continue;
            }

            var opType = node.OpType;
            var scales = rule.Rewrite(node, rewriter);
            RemoveIfUnused(weight);
            quantized++;
            layers.Add(new(layer, opType, "quantized", "", [new("bits", options.ReduceRange ? 7 : 8), new("weight_sqnr_db", scales.SqnrDecibels)]));
        }

        layers.AddRange(model.AllNodes.Where(n => n.Domain.Length == 0 && Others.Contains(n.OpType) && n.Input(1)?.ElementType == DataType.Float).Select(n => new LayerOutcome(
            LayerNames.Of(n), n.OpType, "left",
            n.OpType.Contains("Conv", StringComparison.Ordinal) ? "integer convolutions need scales known beforehand: quantize.static" : "recurrent weights are not quantized by this step", [])));
        if (quantized == 0)
        {
            throw new DiagnosticException(
                "BML5406",
                $"No layer was quantized: the step knows {string.Join(", ", operators.Keys)} with constant float weights; "
                + (layers.Count == 0 ? "the model has none" : $"the model has {LeftSummary(layers)}") + ". Remove the step or widen its selection.");
        }

        return new StepResult(model) { Layers = layers.ToImmutable(), Notes = Notes(options) };
    }

    private static string LeftSummary(IEnumerable<LayerOutcome> layers) =>
        string.Join("; ", layers.CountBy(l => (l.OpType, l.Reason)).Select(c => $"{c.Value} {c.Key.OpType} left because {c.Key.Reason}"));

    private static ImmutableArray<string> Notes(Options options) => options is { WeightType: QuantizedType.S8, ReduceRange: false }
        ? ["On x64 processors without VNNI, sums of u8·s8 products can saturate; 'reduce_range: true' or 'weight_type: u8' avoids that."]
        : [];

    private static void RemoveIfUnused(Value weight)
    {
        if (!weight.IsUnused)
        {
            return;
        }

        if (weight.Producer is { } constant)
        {
            constant.Graph.Remove(constant);
        }
        else
        {
            weight.Graph.SetInitializer(weight, null);
        }
    }
}
