using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class PowerCases : GradientCaseTable
{
    public PowerCases()
    {
        foreach (var opType in new[] { "Sqrt", "Log", "Reciprocal" })
            Case(opType, r => new([r.Uniform(1, 2, r.Sizes(2))]));
        Case("Exp", r => new([r.Normal(r.Sizes(2))]));
        Case("Erf", r => new([r.Normal(r.Sizes(2))]));
        foreach (var power in new[] { 0.5f, 1, 2, 3, -1.5f })
            Case("Pow", r => new([r.Uniform(1, 2, r.Sizes(2)), Tensor.Scalar(power)]) { Checked = [0] }, $"to the {power}");
        Case("Pow", r => new([r.Uniform(1, 2, 2, 3), r.Normal(3)]), "both");
        Case("Pow", r => new([r.Normal(2, 3), Tensor.Of([2L, 3, 1], 3)]), "integers");
    }
}
