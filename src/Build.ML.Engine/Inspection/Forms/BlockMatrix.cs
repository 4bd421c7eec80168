using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>ONNX Runtime's <c>com.microsoft.MatMulNBits</c>: a matrix in blocks of 2, 4 or 8 bits.</summary>
[WeightForm]
internal sealed class BlockMatrix : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node) => !node.Is("MatMulNBits", "com.microsoft") || node.Inputs[1]?.Constant is null ? null : new(
        "MatMulNBits",
        node.Inputs[1]!,
        (int)node.Int("bits", 4),
        node.Int("K", 0) * node.Int("N", 0),
        BytesOf(node.Inputs[1], node.Inputs[2], node.Input(3), node.Input(4)),
        $"block {node.Int("block_size", 0)}",
        node.Int("accuracy_level", 0) == 4 ? "s8 dynamic" : "float"); // level 4: the kernel rounds each block of the input to 8 bits

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        // x·Wᵀ of the identity is Wᵀ; at accuracy level 0 the kernel rounds nothing.
        using var scratch = new ScratchModel(model);
        var size = (int)node.Int("K", 0);
        var half = node.Inputs[2]!.Constant!.Type == DataType.Float16;
        var x = scratch.Graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(size, size)));
        var given = half ? scratch.Graph.Add("Cast", [x], "half", [NodeAttribute.Int("to", (long)DataType.Float16)]) : x;
        var y = scratch.Graph.Add(
            node.OpType,
            [given, .. node.Inputs.Skip(1).Take(4).Select(i => i is null ? null : scratch.Copy(i))],
            "y",
            [.. node.Attributes.Where(a => a.Name != "accuracy_level")],
            node.Domain);
        return Matrices.Transposed(scratch.Compute(y, inference, new KeyValuePair<string, Tensor>("x", Matrices.Identity(size))));
    }
}
