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
        Rule("Resize", node => node.String("mode", "nearest") == "nearest"
            ? new QdqForm("Resize", [0]) { Output = QdqOutput.SameAsInput }
            : "it interpolates");
    }
}
