using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.FineTuning.Lora;

/// <summary>Stores the weights of layers in 4-bit NormalFloat, as ONNX Runtime's MatMulBnb4 reads them: the frozen base of QLoRA.</summary>
internal static class FrozenBase
{
    private const long NormalFloat4 = 1;

    /// <summary>Replaces each layer that has a float weight of its own; others stay.</summary>
    /// <param name="model">Changed in place.</param>
    /// <param name="layers">Layers of this model.</param>
    /// <param name="blockSize">Weights that share a magnitude; at least 16, a power of 2.</param>
    /// <param name="context">Progress and cancellation.</param>
    /// <returns>The layers in the same order as they are now, and what became of those that were replaced.</returns>
    public static (ImmutableArray<AdaptableLayer> Layers, ImmutableArray<LayerOutcome> Outcomes) Quantize(
        Model model, ImmutableArray<AdaptableLayer> layers, int blockSize, StepContext context)
    {
        var now = layers.ToBuilder();
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>(layers.Length);
        for (var i = 0; i < layers.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Length, "quantizing the base"));
            if (layers[i] is { Weight: { } weight } layer)
            {
                now[i] = new(Replace(model, layer, weight, blockSize), layer.Inputs, layer.Outputs, null, true);
                var bits = 4 + (32.0 / blockSize);
                outcomes.Add(new(layer.Name, layer.Node.OpType, "quantized", "base in nf4", [new("bits", 4), new("bits_stored", bits)]));
            }
        }

        if (outcomes.Count > 0 && model.OperatorSets["com.microsoft"] == 0)
        {
            model.OperatorSets["com.microsoft"] = 1;
        }

        return (now.MoveToImmutable(), outcomes.ToImmutable());
    }

    private static Node Replace(Model model, AdaptableLayer layer, Value weight, int blockSize)
    {
        var (graph, node) = (model.Graph, layer.Node);
        var (codes, magnitudes) = NormalFloat.Quantize(Rows(layer, weight.Initializer!), blockSize);
        var y = graph.Add(
            "MatMulBnb4",
            [
                node.Input(0), graph.AddInitializer(weight.Name + "_nf4", Tensor.Of(codes, codes.Length)),
                graph.AddInitializer(weight.Name + "_absmax", Tensor.Of(magnitudes, magnitudes.Length)),
            ],
            layer.Name + "_bnb4",
            [
                NodeAttribute.Int("K", layer.Inputs), NodeAttribute.Int("N", layer.Outputs), NodeAttribute.Int("block_size", blockSize),
                NodeAttribute.Int("quant_type", NormalFloat4),
            ],
            "com.microsoft", node);
        var product = y.Producer!;
        if (node.Input(2) is { } bias)
        {
            y = graph.Add("Add", [y, Scaled(graph, bias, node)], layer.Name + "_biased", before: node);
        }

        graph.Replace(node.Outputs[0], y);
        graph.Remove(node);
        graph.SetInitializer(weight, null);
        return product;
    }

    private static Value Scaled(OnnxGraph graph, Value bias, Node gemm) => gemm.Float("beta", 1) is var beta and not 1
        ? graph.Add("Mul", [bias, graph.AddInitializer("beta", Tensor.Scalar(beta))], bias.Name + "_scaled", before: gemm) : bias;

    private static float[] Rows(AdaptableLayer layer, Tensor weight)
    {
        var content = weight.ToArray<float>();
        if (layer.Transposed)
        {
            return content;
        }

        var rows = new float[content.Length];
        for (var i = 0; i < layer.Inputs; i++)
        {
            for (var o = 0; o < layer.Outputs; o++)
            {
                rows[((long)o * layer.Inputs) + i] = content[((long)i * layer.Outputs) + o];
            }
        }

        return rows;
    }
}
