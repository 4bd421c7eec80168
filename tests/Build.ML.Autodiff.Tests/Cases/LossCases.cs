using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class LossCases : GradientCaseTable
{
    public LossCases()
    {
        foreach (var opType in new[] { "Softmax", "LogSoftmax" })
        {
            Case(opType, r => new([r.Normal(r.Sizes(2))]), "last axis");
            Case(opType, r => new([r.Normal(2, 3, 4)], NodeAttribute.Int("axis", 1)), "middle axis");
            Case(opType, r => new([r.Normal(2, 3, 4)], NodeAttribute.Int("axis", -3)), "first axis");
        }
        foreach (var opType in new[] { "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss" })
            foreach (var reduction in new[] { "mean", "sum", "none" })
            {
                var attribute = NodeAttribute.String("reduction", reduction);
                Case(opType, r => new([r.Normal(5, 3), r.Indices(3, 5)], attribute), reduction);
                Case(opType, r => new([r.Normal(4, 3), r.Indices(3, 4), r.Uniform(1, 2, 3)], attribute) { Checked = [0] }, reduction + ", weights");
                Case(opType, r => new([r.Normal(2, 3, 4), Ignoring(r.Indices(3, 2, 4))], attribute, NodeAttribute.Int("ignore_index", -100)), reduction + ", ignored, per position");
                Case(opType, r => new([r.Normal(2, 3, 2, 2), Ignoring(r.Indices(3, 2, 2, 2)), r.Uniform(1, 2, 3)], attribute, NodeAttribute.Int("ignore_index", -100)) { Checked = [0] },
                    reduction + ", ignored, weights, per pixel");
            }
        Case("SoftmaxCrossEntropyLoss", r => new([r.Normal(5, 3), r.Indices(3, 5)]) { Outputs = 2 }, "log probabilities are read");
    }

    static Tensor Ignoring(Tensor labels)
    {
        var values = labels.ToArray<long>();
        values[1] = values[^1] = -100;
        return Tensor.Of(values, [.. labels.Sizes]);
    }
}
