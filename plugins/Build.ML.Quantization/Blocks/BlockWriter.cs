using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// Puts quantized matrices in the place of float weights: MatMulNBits or DequantizeLinear before the operator for products, GatherBlockQuantized for look-ups, DequantizeLinear for
/// convolutions (or, where the form is the runtime's own, Cast and Mul, which it computes once on loading). Bytes wait in a scratch file until the model is saved, so that memory holds one layer at a time.
/// </summary>
/// <param name="model">The model, edited in place.</param>
/// <param name="options">Form and accuracy level.</param>
/// <param name="context">Scratch folder and cores.</param>
internal sealed class BlockWriter(Model model, WeightFormOptions options, StepContext context)
{
    private readonly ScratchFile _scratch = new(context.ScratchDirectory);
    private readonly BlockTotals _totals = new();

    /// <summary>Sentences about all layers written: bytes, and what the runtime does with the form.</summary>
    public ImmutableArray<string> Notes => _totals.Notes(options);

    /// <summary>Why a layer cannot or should not be stored in a format, or null: to be asked before any work on the layer.</summary>
    /// <param name="layer">A layer of this model.</param>
    /// <param name="format">The format.</param>
    public string? Obstacle(WeightLayer layer, BlockFormat format) =>
        options.Form == WeightForm.DequantizeLinear && format.StorageBits < 8 && layer.Readers.Any(r => r.Node.OpType == "Gather")
            ? "ONNX's Gather takes no integers of less than 8 bits: use form: matmul_nbits, or 8 bits"
        : layer.Readers.Any(r => IsPlain(r.Node)) && LeastOpset(format, format.Blocks(layer.Columns)) is var least && model.Opset < least
            ? $"{format.Bits} bits in this form need operator set {least}, the model uses {model.Opset}: put a step 'use: optimize.graph' with 'opset: {least}' before this one"
        : (long)layer.Rows * layer.Columns > Array.MaxLength ? $"{layer.Rows} × {layer.Columns} weights are more than are held at once"
        : format.EffectiveBits(layer.Columns) >= layer.Tensor.Type.BitWidth() ? $"rows of {layer.Columns} would not become smaller"
        : null;

    /// <summary>Replaces the layer's weight in all nodes that read it and removes what is not needed any more.</summary>
    /// <param name="layer">A layer of this model.</param>
    /// <param name="matrix">Its codes; not referred to afterwards.</param>
    /// <param name="sqnrDecibels">What the codes make of the weights, where the caller knows; else it is measured.</param>
    /// <param name="figures">Further figures of the method.</param>
    /// <returns>The line of the report.</returns>
    public LayerOutcome Write(
        WeightLayer layer, BlockQuantizedMatrix matrix, double? sqnrDecibels = null, params ReadOnlySpan<KeyValuePair<string, double>> figures)
    {
        var sqnr = sqnrDecibels ?? WeightError.Of(layer, matrix, context.Threads).SqnrDecibels;
        PackedBlocks? packed = null;
        PlainBlocks? plain = null;
        foreach (var (node, input) in layer.Readers)
        {
            if (IsPlain(node))
            {
                OpsetCheck.Require(model, LeastOpset(matrix.Format, matrix.Blocks), $"{matrix.Format.Bits} bits in this form");
                ReplacePlain(node, input, plain ??= new(layer, matrix, _scratch), layer.Rows);
            }
            else
            {
                model.OperatorSets["com.microsoft"] = Math.Max(model.OperatorSets["com.microsoft"], 1);
                ReplacePacked(node, layer, packed ??= new(layer, matrix, _scratch, context.Threads));
            }
        }

        ConstantSource.RemoveIfUnused(layer.Weight);
        var isStillRead = layer.Weight.Constant is not null && !layer.Weight.IsUnused;
        _totals.Add(layer, matrix, plain is not null);
        return new(
            layer.Name,
            layer.OpType,
            "quantized",
            isStillRead ? "other nodes still read the weight as real numbers, so that it is stored twice" : "",
            [
                new("bits", matrix.Format.Bits), new("block_size", matrix.Format.BlockSize), new("weight_sqnr_db", sqnr),
                new("size_ratio", matrix.Format.EffectiveBits(matrix.Columns) / layer.Tensor.Type.BitWidth()), .. figures,
            ]);
    }

    /// <summary>Throws where no layer was quantized: a step without effect is a mistake in the recipe.</summary>
    /// <param name="layers">What became of all layers.</param>
    /// <exception cref="DiagnosticException">BML5406.</exception>
    public void RequireAny(IReadOnlyList<LayerOutcome> layers)
    {
        if (!_totals.IsEmpty)
        {
            return;
        }

        var reasons = layers.GroupBy(l => l.Reason).OrderByDescending(g => g.Count()).Take(3)
            .Select(g => $"{g.Count()}, such as '{g.First().Layer}': {g.Key}");
        throw new DiagnosticException(
            "BML5406",
            layers.Count == 0
                ? $"The model has no layer with constant weights among {string.Join(", ", WeightLayers.AllOpTypes)}. Remove the step."
                : $"No layer was quantized: all {layers.Count} were left ({string.Join("; ", reasons)}). Remove the step or widen its selection.");
    }

    private void ReplacePacked(Node node, WeightLayer layer, PackedBlocks blocks)
    {
        var graph = node.Graph;
        var name = node.Outputs[0].Name;
        var source = node.Inputs[node.OpType == "Gather" ? 0 : 1];
        if (node.OpType == "Gather")
        {
            var table = blocks.Table(node, isShared: layer.OpType != "Gather");
            ReadOnlySpan<Value?> lookUp = [table, node.Inputs[1], blocks.Scales, blocks.ZeroPoints];
            LayerNames.Substitute(node, graph.Add(
                "GatherBlockQuantized",
                lookUp[..(blocks.ZeroPoints is null ? 3 : 4)],
                name + "_rows",
                [
                    NodeAttribute.Int("bits", blocks.StorageBits), NodeAttribute.Int("block_size", blocks.BlockSize),
                    NodeAttribute.Int("gather_axis", 0), NodeAttribute.Int("quantize_axis", 1),
                ],
                "com.microsoft",
                node));
            ConstantSource.RemoveIfUnused(source);
            return;
        }

        var alpha = node.OpType == "Gemm" ? node.Float("alpha", 1) : 1;
        var scales = alpha == 1 ? blocks.Scales : blocks.Scaled(layer.Weight.Name + "_alpha", alpha);
        var addend = node.OpType == "Gemm" ? GemmAddend.VectorOf(node, layer.Rows) : null;
        var bias = addend is { Constant: { Rank: 1 } vector } && vector.Count == layer.Rows ? addend : null;
        ReadOnlySpan<Value?> inputs = [node.Inputs[0], blocks.Codes, scales, blocks.ZeroPoints, null, bias];
        var product = graph.Add(
            "MatMulNBits",
            inputs[..(bias is not null ? 6 : blocks.ZeroPoints is not null ? 4 : 3)],
            name + "_product",
            [
                NodeAttribute.Int("K", layer.Columns), NodeAttribute.Int("N", layer.Rows), NodeAttribute.Int("bits", blocks.StorageBits),
                NodeAttribute.Int("block_size", blocks.BlockSize), NodeAttribute.Int("accuracy_level", options.AccuracyLevel),
            ],
            "com.microsoft",
            node);
        LayerNames.Substitute(node, addend is null || bias is not null ? product : graph.Add("Add", [product, addend], name + "_sum", before: node));
        ConstantSource.RemoveIfUnused(source);
    }

    private bool IsPlain(Node node) => node.OpType == "Conv" || options.Form == WeightForm.DequantizeLinear;

    private static long LeastOpset(BlockFormat format, int blocks) => (format.StorageBits, blocks) switch
    {
        (2, _) => 25, // tensors of 2-bit integers
        (4, _) => 21, // of 4-bit integers
        (_, > 1) => 21, // DequantizeLinear of blocks
        _ => 13, // of channels
    };

    private void ReplacePlain(Node node, int input, PlainBlocks blocks, int rows)
    {
        var graph = node.Graph;
        var source = node.Inputs[input];
        switch (node.OpType)
        {
            case "Conv":
                var isFolded = options.Form == WeightForm.MatmulNbits && blocks.IsWhole;
                node.SetInput(input, isFolded ? blocks.FoldedFilters(node) : blocks.DequantizeFilters(node));
                break;
            case "Gather":
                LayerNames.Substitute(node, blocks.DequantizeRows(node));
                break;
            case "MatMul":
                node.SetInput(input, blocks.DequantizeTransposed(node, 1));
                break;
            default:
                // ONNX Runtime makes MatMulNBits of this, the addend included where it is a vector of the outputs' length.
                var name = node.Outputs[0].Name;
                var addend = GemmAddend.VectorOf(node, rows);
                var product = graph.Add("MatMul", [node.Inputs[0], blocks.DequantizeTransposed(node, node.Float("alpha", 1))], name + "_product", before: node);
                LayerNames.Substitute(node, addend is null ? product : graph.Add("Add", [product, addend], name + "_sum", before: node));
                break;
        }

        ConstantSource.RemoveIfUnused(source);
    }
}
