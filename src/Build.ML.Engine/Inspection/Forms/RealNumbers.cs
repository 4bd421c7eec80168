using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection.Forms;

/// <summary>An operator of ONNX's own set over a weight that is real numbers when it arrives: stored as such, or behind a DequantizeLinear (QDQ).</summary>
[WeightForm]
internal sealed class RealNumbers : WeightForm
{
    /// <inheritdoc/>
    public override StoredWeight? Describe(Node node)
    {
        if (WeightOf(node) is not { } weight)
        {
            return null;
        }

        List<Value> constants = [];
        var (data, dequantize) = Root(weight, constants);
        var stored = data.Constant!;
        return new(
            dequantize is null ? "-" : "QDQ",
            data,
            stored.Type.BitWidth(),
            stored.Count,
            constants.Distinct().Sum(c => c.Constant!.ByteLength),
            dequantize is null ? "-" : Granularity(dequantize),
            node.Is("Gather") ? "-" : Activations(node.Inputs[0]));
    }

    /// <inheritdoc/>
    public override Tensor? Read(Node node, Model model, IInference inference)
    {
        var weight = WeightOf(node)!;
        Tensor real;
        if (weight.Constant is { Type: DataType.Float } constant)
        {
            real = constant;
        }
        else
        {
            using var scratch = new ScratchModel(model);
            real = scratch.Compute(scratch.Copy(weight), inference);
        }

        var isTransposed = node.Is("MatMul") || (node.Is("Gemm") && node.Int("transB", 0) == 0);
        return isTransposed && real.Rank == 2 ? Matrices.Transposed(real) : real;
    }

    // Two or more dimensions: vectors are biases and the like.
    private static Value? WeightOf(Node node)
    {
        var index = node.Is("Gather") ? 0 : node.Is("MatMul") || node.Is("Gemm") || node.Is("Conv") || node.Is("ConvTranspose") ? 1 : -1;
        return index >= 0 && node.Input(index) is { } weight && IsConstant(weight) && Root(weight, []).Data.Constant is { Rank: >= 2 } data
            && IsNumeric(data.Type) && data.Count > 1 && (!node.Is("Gather") || data.Sizes[^1] > 1) ? weight : null;
    }

    private static bool IsNumeric(DataType type) => type is not (DataType.Int64 or DataType.Int32 or DataType.Bool or DataType.String);

    private static bool IsConstant(Value value)
    {
        if (value.Constant is not null)
        {
            return true;
        }

        return value.Producer is { } node && (node.Is("DequantizeLinear") || node.Is("Transpose") || node.Is("Cast") || node.Is("Reshape") || node.Is("Identity"))
            && node.Inputs.All(i => i is null || IsConstant(i));
    }

    private static (Value Data, Node? Dequantize) Root(Value value, List<Value> constants)
    {
        Node? dequantize = null;
        while (value.Constant is null)
        {
            var node = value.Producer!;
            dequantize = node.Is("DequantizeLinear") ? node : dequantize;
            constants.AddRange(node.Inputs.Skip(1).Where(i => i?.Constant is not null)!);
            value = node.Inputs[0]!;
        }

        constants.Add(value);
        return (value, dequantize);
    }

    private static string Granularity(Node dequantize) =>
        dequantize.Int("block_size", 0) is var block and > 0 ? $"block {block}"
        : dequantize.Inputs[1]!.Constant is { Count: > 1 } ? "channel" : "tensor";
}
