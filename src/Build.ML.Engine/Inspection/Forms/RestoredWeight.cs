using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>A layer whose weight Cast, Sub, Mul and Reshape restore from integers; ONNX Runtime computes these once, when it loads the model.</summary>
[WeightForm]
internal sealed class RestoredWeight : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node)
    {
        if (!(node.Is("Conv") || node.Is("ConvTranspose") || node.Is("MatMul") || node.Is("Gemm")) || Product(node.Input(1)) is not { } product || Codes(product.Input(0), out var zeroPoints) is not { } codes
            || product.Input(1)?.Constant is not { } scales)
        {
            return null;
        }

        var tensor = codes.Constant!;
        return new(
            "restored",
            codes,
            tensor.Type.BitWidth(),
            tensor.Count,
            tensor.ByteLength + BytesOf(product.Input(1), zeroPoints),
            scales.Count == 1 ? "tensor" : scales.Count == scales.Sizes[0] ? "channel" : $"block {tensor.Count / scales.Count}",
            Activations(node.Inputs[0]));
    }

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        using var scratch = new ScratchModel(model);
        var weight = scratch.Compute(scratch.Copy(node.Inputs[1]!), inference);
        return node.Is("MatMul") || (node.Is("Gemm") && node.Int("transB", 0) == 0) ? Matrices.Transposed(weight) : weight;
    }

    private static Node? Product(Value? filters)
    {
        var node = filters?.Producer;
        node = node is not null && node.Is("Reshape") ? node.Inputs[0]!.Producer : node;
        return node is not null && node.Is("Mul") ? node : null;
    }

    private static Value? Codes(Value? real, out Value? zeroPoints)
    {
        zeroPoints = null;
        if (real?.Producer is { } difference && difference.Is("Sub"))
        {
            zeroPoints = Source(difference.Input(1)) ?? difference.Input(1);
            real = difference.Input(0);
        }

        return Source(real);
    }

    // What a Cast makes real, where it is a constant of integers.
    private static Value? Source(Value? real) =>
        real?.Producer is { } cast && cast.Is("Cast") && cast.Inputs[0]?.Constant is { } constant && constant.Type.IsInteger() ? cast.Inputs[0] : null;
}
