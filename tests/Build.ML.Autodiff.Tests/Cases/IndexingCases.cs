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
        Case("GatherElements", r => new([r.Normal(3, 4), r.Indices(3, 5, 4)]), "rows");
        Case("GatherElements", r => new([r.Normal(3, 4), r.Indices(4, 2, 6)], NodeAttribute.Int("axis", -1)), "columns");
        Case("GatherND", r => new([r.Normal(3, 4, 2), Tensor.Of([0L, 1, -1, -4, 0, 1, 2, 3], 4, 2)]), "some twice, from the end");
        Case("GatherND", r => new([r.Normal(2, 3, 4, 2), r.Indices(3, 2, 5, 2)], NodeAttribute.Int("batch_dims", 1)), "batches");
        Case("GatherND", r => new([r.Normal(2, 3, 4), r.Indices(2, 3, 1)]), "slices");
        Case("ScatterElements", r => new([r.Normal(4, 3), Tensor.Of([0L, 3, 1, 2, 0, 0], 2, 3), r.Normal(2, 3)]), "overwrite");
        Case("ScatterElements", r => new([r.Normal(3, 4), r.Indices(4, 3, 6), r.Normal(3, 6)], NodeAttribute.Int("axis", 1), NodeAttribute.String("reduction", "add")), "add");
        Case("ScatterND", r => new([r.Normal(4, 3), Tensor.Of([3L, 0], 2, 1), r.Normal(2, 3)]), "overwrite");
        Case("ScatterND", r => new([r.Normal(4, 3), Tensor.Of([3L, 0], 2, 1), r.Normal(2, 3)], NodeAttribute.String("reduction", "add")), "add");
        Case("TopK", r => new([r.Apart(0.25, 3, 5), Integers(2)]) { Outputs = 2 }, "largest");
        Case("TopK", r => new([r.Apart(0.25, 4, 3), Integers(3)], NodeAttribute.Int("largest", 0), NodeAttribute.Int("axis", 0)) { Outputs = 2 }, "smallest");
        Case("ReverseSequence", r => new([r.Normal(4, 2, 3), Tensor.Of([2L, 4], 2)]), "time first");
        Case("ReverseSequence", r => new([r.Normal(2, 4), Tensor.Of([3L, 1], 2)], NodeAttribute.Int("batch_axis", 0), NodeAttribute.Int("time_axis", 1)), "batch first");
        foreach (var upper in new[] { 0, 1 })
            Case("Trilu", r => new([r.Normal(2, 3, 4), Tensor.Scalar(1L)], NodeAttribute.Int("upper", upper)), upper == 0 ? "lower" : "upper");
        Case("OneHot", r => new([r.Indices(3, 4), Tensor.Scalar(3L), r.Normal(2)]));
    }
}
