namespace Build.ML.Quantization.Static;

/// <summary>Operators on activations only that have an integer kernel with a range of their own for the output.</summary>
[QdqOperators]
internal sealed class ActivationOperators : QdqOperatorTable
{
    /// <summary>The rules.</summary>
    public ActivationOperators()
    {
        Rule(["Add", "Mul"], node =>
            node.Inputs.Any(i => i!.Constant is not null) ? "one operand is constant; optimize.graph folds such operations into the layer before"
            : new QdqForm("QLinear" + node.OpType, [0, 1]) { AnyActivation = node.OpType == "Add" });
        Rule("Concat", node => new QdqForm("QLinearConcat", [.. Enumerable.Range(0, node.Inputs.Count)]) { AnyActivation = true, SharesScale = true });
        Rule("AveragePool", node =>
            node.Inputs[0]!.Shape is { Rank: not 4 } shape ? $"its input has {shape.Rank} dimensions, the integer kernel takes images" : new QdqForm("QLinearAveragePool", [0]));
        Rule("GlobalAveragePool", _ => new QdqForm("QLinearGlobalAveragePool", [0]));
        Rule(["LeakyRelu", "Sigmoid"], node => new QdqForm("QLinear" + node.OpType, [0]));
    }
}
