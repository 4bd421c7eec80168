using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ChoiceCases : GradientCaseTable
{
    public ChoiceCases()
    {
        Case("Abs", r => new([r.Apart(0.25, r.Sizes(2))]));
        Case("Where", r => new([Tensor.Of([true, false, true], 3), r.Normal(2, 3), r.Normal(2, 1)]), "both");
        Case("Where", r => new([Tensor.Of([true, false, true], 3), r.Normal(2, 3), r.Normal(2, 1)]) { Checked = [2] }, "the other");
        Case("Clip", r => new([r.Apart(0.25, 3, 4), Tensor.Scalar(-1.0625f), Tensor.Scalar(0.5625f)]), "both");
        Case("Clip", r => new([r.Apart(0.25, 3, 4), null, Tensor.Scalar(0.5625f)]) { Checked = [0] }, "above");
        foreach (var opType in new[] { "Max", "Min" })
        {
            Case(opType, r => new([r.Apart(0.25, 2, 3), Moved(r.Apart(0.25, 3))]), "two");
            Case(opType, r => new([r.Apart(0.25, 2, 3), Moved(r.Apart(0.25, 3)), Moved(Moved(r.Apart(0.25, 2, 1)))]), "three");
        }
    }

    // So that no element of one input comes near one of another.
    static Tensor Moved(Tensor tensor) => Tensor.Of(Array.ConvertAll(tensor.ToArray<float>(), v => v + 0.0834f), [.. tensor.Sizes]);
}
