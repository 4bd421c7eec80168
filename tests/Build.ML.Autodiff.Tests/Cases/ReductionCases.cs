using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ReductionCases : GradientCaseTable
{
    public ReductionCases()
    {
        foreach (var opType in new[] { "ReduceSum", "ReduceMean" })
        {
            Case(opType, r => new([r.Normal(r.Sizes(3))]), "all axes");
            Case(opType, r => new([r.Normal(2, 3, 4), Axes(-1, 0)], NodeAttribute.Int("keepdims", 0)), "two axes away");
            Case(opType, r => new([r.Normal(2, 3, 4), Axes(1)]), "one axis kept");
        }
    }

    internal static Tensor Axes(params long[] axes) => Tensor.Of(axes, axes.Length);
}
