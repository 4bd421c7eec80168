using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.FineTuning.Lora;

/// <summary>A layer y = x·W whose weight is constant: a low-rank update can run beside it.</summary>
/// <param name="Node">The layer.</param>
/// <param name="Inputs">Length of x along its last axis.</param>
/// <param name="Outputs">Length of y along its last axis.</param>
/// <param name="Weight">The float weight that the update can be added to; null where the weight is stored quantized.</param>
/// <param name="Transposed">Whether the weight is [outputs, inputs].</param>
internal sealed record AdaptableLayer(Node Node, int Inputs, int Outputs, Value? Weight, bool Transposed)
{
    /// <summary>Operators that may be adapted.</summary>
    public static ImmutableArray<string> OpTypes { get; } = ["MatMul", "Gemm", "MatMulNBits", "MatMulBnb4"];

    /// <summary>Name for reports and for the adapter's weights: the weight's.</summary>
    public string Name { get; } = Node.Input(1)!.Name;

    /// <summary>The layers of the main graph that can be adapted, and why the other candidates cannot.</summary>
    public static (ImmutableArray<AdaptableLayer> Layers, ImmutableArray<LayerOutcome> Left) Find(Model model, LayerSelection selection)
    {
        var types = ShapeInference.Infer(model).Types;
        var layers = ImmutableArray.CreateBuilder<AdaptableLayer>();
        var left = ImmutableArray.CreateBuilder<LayerOutcome>();
        foreach (var node in model.AllNodes)
        {
            if (!OpTypes.Contains(node.OpType))
            {
                continue;
            }

            var reason = selection.ReasonToLeave(node) ?? (node.Graph != model.Graph ? "inside a subgraph" : null);
            var layer = reason is null ? Of(node, types, out reason) : null;
            if (layer is null)
            {
                left.Add(new(node.DisplayName, node.OpType, "left", reason!, []));
            }
            else
            {
                layers.Add(layer);
            }
        }

        return (layers.ToImmutable(), left.ToImmutable());
    }

    /// <summary>W + scale·A·B, a new tensor.</summary>
    /// <param name="a">[inputs, rank].</param>
    /// <param name="b">[rank, outputs].</param>
    /// <param name="scale">Factor.</param>
    public Tensor Merge(float[] a, float[] b, float scale)
    {
        var (weight, rank) = (Weight!.Initializer!, a.Length / Inputs);
        var merged = weight.ToArray<float>();
        Parallel.For(0, Inputs, i =>
        {
            var row = new float[Outputs];
            for (var r = 0; r < rank; r++)
            {
                System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(b.AsSpan(r * Outputs, Outputs), scale * a[(i * rank) + r], row, row);
            }

            if (!Transposed)
            {
                var into = merged.AsSpan(i * Outputs, Outputs);
                System.Numerics.Tensors.TensorPrimitives.Add(into, row, into);
                return;
            }

            for (var o = 0; o < Outputs; o++)
            {
                merged[(o * Inputs) + i] += row[o];
            }
        });
        return Tensor.Of(merged, weight.Sizes.AsSpan());
    }

    private static AdaptableLayer? Of(Node node, IReadOnlyDictionary<Value, OnnxType> types, out string? reason)
    {
        reason = null;
        if (node.OpType is "MatMulNBits" or "MatMulBnb4")
        {
            return new AdaptableLayer(node, (int)node.Int("K", 0), (int)node.Int("N", 0), null, true);
        }

        if (node.Input(1) is not { } weight || node.Input(0) is not { Constant: null })
        {
            reason = "it has no weight";
            return null;
        }

        var sizes = weight.Constant?.Sizes.ToArray() ?? ((types.GetValueOrDefault(weight) as TensorType)?.Shape?.ToSizes());
        var transposed = node.OpType == "Gemm" && node.Int("transB", 0) != 0;
        if (weight.Constant is null && weight.Producer is not { OpType: "DequantizeLinear" })
        {
            reason = "what it multiplies with is no constant";
        }
        else if (sizes is not { Length: 2 })
        {
            reason = "its weight is no matrix";
        }
        else if (node.OpType == "Gemm" && (node.Int("transA", 0) != 0 || node.Float("alpha", 1) != 1))
        {
            reason = "a Gemm with transA or alpha";
        }
        else
        {
            var floats = weight.Initializer is { Type: DataType.Float } && weight.Uses.Count == 1 ? weight : null;
            return new AdaptableLayer(node, (int)sizes[transposed ? 1 : 0], (int)sizes[transposed ? 0 : 1], floats, transposed);
        }

        return null;
    }
}
