using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>ONNX Runtime's <c>com.microsoft.GatherBlockQuantized</c>: an embedding in blocks.</summary>
[WeightForm]
internal sealed class BlockTable : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node)
    {
        if (!node.Is("GatherBlockQuantized", "com.microsoft") || node.Inputs[0]?.Constant is not { } table)
        {
            return null;
        }

        // Bytes hold one element of 8 bits or two of 4; the types of 4 bits hold what they say.
        var bits = table.Type == DataType.UInt8 ? (int)node.Int("bits", 4) : table.Type.BitWidth();
        return new(
            "GatherBlockQuantized",
            node.Inputs[0]!,
            bits,
            table.Type == DataType.UInt8 ? table.Count * 8 / bits : table.Count,
            BytesOf(node.Inputs[0], node.Inputs[2], node.Input(3)),
            $"block {node.Int("block_size", 128)}",
            "-");
    }

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        using var scratch = new ScratchModel(model);
        var indices = new long[node.Inputs[0]!.Constant!.Sizes[0]];
        for (var i = 0; i < indices.Length; i++)
        {
            indices[i] = i;
        }

        scratch.Substitute(node.Inputs[1]!, scratch.Graph.AddInitializer("indices", Tensor.Of(indices, indices.Length)));
        return scratch.Compute(scratch.Copy(node.Outputs[0]), inference);
    }
}
