using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static;

/// <summary>Operators with weights: where quantization begins.</summary>
[QdqOperators]
internal sealed class WeightedOperators : QdqOperatorTable
{
    /// <summary>The rules.</summary>
    public WeightedOperators()
    {
        Rule("Conv", Conv);
        Rule("ConvTranspose", ConvTranspose);
        Rule("Gemm", Gemm);
        Rule("MatMul", MatMul);
    }

    private static QdqChoice Conv(Node node) => NotAWeight(node, 1) is { } reason ? reason
        : node.Input(2) is { } bias && !IsFloatConstant(bias) ? "its bias is not constant"
        : new QdqForm("QLinearConv", [0]) { Weight = 1, WeightAxis = 0, Bias = Present(node, 2) };

    // ONNX Runtime has no integer ConvTranspose for CPUs. Its weight is [inputs, outputs/group, …]: with groups, the output channels are no axis of it.
    private static QdqChoice ConvTranspose(Node node) => NotAWeight(node, 1) is { } reason ? reason
        : new QdqForm(null, [0]) { Weight = 1, WeightAxis = node.Int("group", 1) == 1 ? 1 : null };

    private static QdqChoice Gemm(Node node) => NotAWeight(node, 1) is { } reason ? reason
        : node.Input(2) is { } bias && (!IsFloatConstant(bias) || bias.Constant!.Rank != 1) ? "its third operand is not a constant vector"
        : node.Float("beta", 1) != 1 || node.Float("alpha", 1) != 1 ? "it scales its operands (alpha, beta)"
        : new QdqForm("QGemm", [0])
        {
            Weight = 1,
            WeightAxis = node.Int("transB", 0) != 0 ? 0 : 1,
            Bias = Present(node, 2),
            Output = QdqOutput.QuantizedForReaders,
        };

    private static QdqChoice MatMul(Node node) => NotAWeight(node, 1) is { } reason ? reason
        : node.Inputs[1]!.Constant!.Rank != 2 ? $"its weight has {node.Inputs[1]!.Constant!.Rank} dimensions, the integer kernel takes 2"
        : new QdqForm("MatMulIntegerToFloat", [0]) { Weight = 1, WeightAxis = 1, Output = QdqOutput.QuantizedForReaders };

    private static string? NotAWeight(Node node, int input) =>
        node.Input(input) is not { } weight || weight.Constant is null ? "its second operand is not constant"
        : weight.Constant.Type != DataType.Float ? $"its weight is {weight.Constant.Type.OnnxName()}, not float"
        : null;

    private static bool IsFloatConstant(Value value) => value.Constant?.Type == DataType.Float;

    private static int? Present(Node node, int input) => node.Input(input) is null ? null : input;
}
