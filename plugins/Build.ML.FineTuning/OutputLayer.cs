using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.FineTuning;

/// <summary>The last linear layer before an output: y = x·W + b.</summary>
/// <param name="Node">Gemm or MatMul.</param>
/// <param name="Weight">Its constant weight, [inputs, classes], or [classes, inputs] of a Gemm with transB.</param>
/// <param name="Bias">The constant that is added: the Gemm's, or that of an Add behind; null where there is none.</param>
/// <param name="Output">The output that it leads to.</param>
internal sealed record OutputLayer(Node Node, Value Weight, Value? Bias, Value Output)
{
    /// <summary>Whether the weight is [classes, inputs].</summary>
    public bool IsTransposed => Node.OpType == "Gemm" && Node.Int("transB", 0) != 0;

    /// <summary>Size of what it reads.</summary>
    public long Inputs => Weight.Shape![IsTransposed ? 1 : 0].Size!.Value;

    /// <summary>Size of what it yields.</summary>
    public long Classes => Weight.Shape![IsTransposed ? 0 : 1].Size!.Value;

    /// <summary>Walks back from an output over what keeps the order of classes (Softmax, activations, a bias) to the layer; null where something else comes first.</summary>
    /// <param name="model">The model.</param>
    /// <param name="output">Name of the output; null for the first.</param>
    public static OutputLayer? Find(Model model, string? output)
    {
        var end = output is null ? model.Graph.Outputs[0] : model.Graph.Outputs.FirstOrDefault(o => o.Name == output);
        Value? bias = null;
        for (var value = end; value?.Producer is { Domain: "" } node;)
        {
            switch (node.OpType)
            {
                case "Gemm" when node.Inputs[1] is { Initializer: not null } weight:
                    return new(node, weight, node.Input(2) is { Initializer: not null } own ? own : bias, end!);
                case "MatMul" when node.Inputs[1] is { Initializer: not null, Shape.Rank: 2 } weight:
                    return new(node, weight, bias, end!);
                case "Add" when bias is null && node.Inputs[0]?.Initializer is not null:
                    (bias, value) = (node.Inputs[0], node.Inputs[1]);
                    break;
                case "Add" when bias is null && node.Inputs[1]?.Initializer is not null:
                    (bias, value) = (node.Inputs[1], node.Inputs[0]);
                    break;
                case "Softmax" or "LogSoftmax" or "Sigmoid" or "Identity":
                    value = node.Inputs[0];
                    break;
                default:
                    return null;
            }
        }

        return null;
    }
}
