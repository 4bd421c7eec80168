using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using static Build.ML.Autodiff.Tests.Cases.ReshapingCases;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class IndexingCases : GradientCaseTable
{
    public IndexingCases()
    {
        Case("Gather", r => new([r.Normal(5, 3), r.Indices(5, 2, 4)]), "rows, some twice");
        Case("Gather", r => new([r.Normal(2, 5, 3), Integers(-1, 2, 2, -5)], NodeAttribute.Int("axis", 1)), "middle axis, from the end");
        Case("Gather", r => new([r.Normal(2, 5, 3), Tensor.Scalar(1L)], NodeAttribute.Int("axis", 1)), "one");
        Case("Gather", r => new([r.Normal(5, 3), Integers(1, 2, 3)]), "neighbours");
        Case("Gather", r => new([r.Normal(5), Tensor.Of([2, 2, 0], 3)]), "int32");
    }
}
