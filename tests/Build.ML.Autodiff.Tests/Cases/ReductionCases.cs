using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ReductionCases : GradientCaseTable
{
    public ReductionCases()
    {
        foreach (var opType in new[] { "ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL2", "ReduceLogSumExp" })
            All(opType, (r, sizes) => r.Normal(sizes));
        foreach (var opType in new[] { "ReduceMax", "ReduceMin", "ReduceL1" })
            All(opType, (r, sizes) => r.Apart(0.25, sizes));
        foreach (var opType in new[] { "ReduceProd", "ReduceLogSum" })
            All(opType, (r, sizes) => r.Uniform(0.7, 1.4, sizes));
        Case("ReduceProd", _ => new([Tensor.Of([1.5f, 0, 2, 0, 0, 3, 1, 2, -1], 3, 3), Axes(1)]), "zeros");
        foreach (var (exclusive, reverse) in new[] { (0, 0), (1, 0), (0, 1), (1, 1) })
            Case("CumSum", r => new([r.Normal(2, 4, 3), Tensor.Scalar(1L)], NodeAttribute.Int("exclusive", exclusive), NodeAttribute.Int("reverse", reverse)), $"{exclusive}{reverse}");
        Case("LpNormalization", r => new([r.Normal(3, 4)]), "Euclidean");
        Case("LpNormalization", r => new([r.Apart(0.25, 3, 4)], NodeAttribute.Int("p", 1), NodeAttribute.Int("axis", 0)), "magnitudes");
    }

    void All(string opType, Func<CaseRandom, long[], Tensor> content)
    {
        Case(opType, r => new([content(r, r.Sizes(2))]), "all axes");
        Case(opType, r => new([content(r, [2, 3, 4]), Axes(-1, 0)], NodeAttribute.Int("keepdims", 0)), "two axes away");
        Case(opType, r => new([content(r, [2, 3, 4]), Axes(1)]), "one axis kept");
    }

    internal static Tensor Axes(params long[] axes) => Tensor.Of(axes, axes.Length);
}
