using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>MatMulInteger and ConvInteger: integers times integers, brought back to real numbers by multiplications behind them.</summary>
[WeightForm]
internal sealed class IntegerProduct : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node)
    {
        if (!(node.Is("MatMulInteger") || node.Is("ConvInteger")) || node.Input(1)?.Constant is not { } weight)
        {
            return null;
        }

        var scale = ScaleOf(node);
        return new(
            node.OpType,
            node.Inputs[1]!,
            weight.Type.BitWidth(),
            weight.Count,
            BytesOf(node.Inputs[1], node.Input(3), scale),
            scale?.Constant is { Count: > 1 } ? "channel" : "tensor",
            Activations(node.Inputs[0]) is var activations and not "float" ? activations : "integers");
    }

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        if (ScaleOf(node) is not { } scale)
        {
            return null;
        }

        using var scratch = new ScratchModel(model);
        var graph = scratch.Graph;
        var real = Real(node.Inputs[1]!);
        if (node.Input(3) is { Constant: not null } zeroPoint)
        {
            real = graph.Add("Sub", [real, Shaped(Real(zeroPoint))], "centred");
        }

        var weight = scratch.Compute(graph.Add("Mul", [real, Shaped(scratch.Copy(scale))], "scaled"), inference);
        return node.Is("MatMulInteger") ? Matrices.Transposed(weight) : weight;

        Value Real(Value integers) => graph.Add("Cast", [scratch.Copy(integers)], "real", [NodeAttribute.Int("to", (long)DataType.Float)]);

        // Scales of a matrix go with its columns, the last axis; those of filters with the first, whatever shape the product wanted them in.
        Value Shaped(Value perChannel) => node.Is("MatMulInteger") ? perChannel : graph.Add(
            "Reshape",
            [perChannel, graph.AddInitializer(graph.UniqueName("shape"), Tensor.Of<long>([-1, .. Enumerable.Repeat(1L, node.Inputs[1]!.Constant!.Rank - 1)], node.Inputs[1]!.Constant!.Rank))],
            "shaped");
    }

    // sum → Cast → Mul with (scale of the input · constant scale of the weight).
    private static Value? ScaleOf(Node node)
    {
        if (node.Outputs[0].Uses is not [{ Node: { } cast }] || !cast.Is("Cast") || cast.Outputs[0].Uses is not [{ Node: { } product } use] || !product.Is("Mul"))
        {
            return null;
        }

        var factor = product.Inputs[1 - use.Index]!;
        return factor.Constant is not null ? factor
            : factor.Producer is { } inner && inner.Is("Mul") ? inner.Inputs.FirstOrDefault(i => i?.Constant is not null) : null;
    }
}
