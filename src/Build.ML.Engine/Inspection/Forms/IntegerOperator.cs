using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>QLinearConv, QLinearMatMul and ONNX Runtime's QGemm: integers in, integers out, the scales beside them.</summary>
[WeightForm]
internal sealed class IntegerOperator : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node) =>
        !(node.Is("QLinearConv") || node.Is("QLinearMatMul") || node.Is("QGemm", "com.microsoft")) || node.Input(3)?.Constant is not { } weight ? null : new(
            node.OpType,
            node.Inputs[3]!,
            weight.Type.BitWidth(),
            weight.Count,
            BytesOf(node.Inputs[3], node.Inputs[4], node.Input(5)),
            node.Inputs[4]!.Constant is { Count: > 1 } ? "channel" : "tensor",
            $"{ShortName(node.Input(2)?.ElementType ?? DataType.UInt8)} static");

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        if (node.Inputs[4]!.Constant is not { } scale)
        {
            return null;
        }

        using var scratch = new ScratchModel(model);
        var axis = node.Is("QLinearConv") || (node.OpType == "QGemm" && node.Int("transB", 0) == 1) ? 0 : 1;
        var real = scratch.Graph.Add(
            "DequantizeLinear",
            [scratch.Copy(node.Inputs[3]!), scratch.Copy(node.Inputs[4]!), node.Input(5) is { } zeroPoint ? scratch.Copy(zeroPoint) : null],
            "weight",
            scale.Count > 1 ? [NodeAttribute.Int("axis", axis)] : []);
        var weight = scratch.Compute(real, inference);
        return axis == 1 ? Matrices.Transposed(weight) : weight;
    }
}
