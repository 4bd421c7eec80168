using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static;

/// <summary>Operators that move values and compute nothing: they take integers as they are, so their output has the input's scale and zero point.</summary>
[QdqOperators]
internal sealed class MovingOperators : QdqOperatorTable
{
    /// <summary>The rules.</summary>
    public MovingOperators()
    {
        Rule(
            ["Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "MaxPool", "DepthToSpace", "Slice"],
            node => node.Outputs.Count > 1 && node.Outputs[1].Name.Length > 0 ? "it returns indices too"
                : new QdqForm(node.OpType, [0]) { Output = QdqOutput.SameAsInput });
        Rule("Pad", Pad);
        Rule("Resize", node => node.String("mode", "nearest") == "nearest"
            ? new QdqForm("Resize", [0]) { Output = QdqOutput.SameAsInput }
            : "it interpolates");
    }

    private static QdqChoice Pad(Node node) => node.Inputs.Count < 2 ? "it is of an operator set before 11"
        : node.String("mode", "constant") == "constant" && node.Input(2) is { } value && !IsZero(value) ? "it fills with something other than a constant 0"
        : new QdqForm("Pad", [0]) { Output = QdqOutput.SameAsInput, TakesIntegers = true };

    private static bool IsZero(Value value) => value.Constant is { Count: 1, Type: DataType.Float } constant && constant.ToArray<float>()[0] == 0;
}
