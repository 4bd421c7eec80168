namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ArithmeticCases : GradientCaseTable
{
    public ArithmeticCases()
    {
        Case("Identity", r => new([r.Normal(r.Sizes(2))]));
        foreach (var opType in new[] { "Add", "Sub", "Mul" })
        {
            Case(opType, r => new([r.Normal(3, 4), r.Normal(3, 4)]), "same sizes");
            Case(opType, r => new([r.Normal(2, 1, 4), r.Normal(3, 1)]), "broadcast both ways");
            Case(opType, r => new([r.Normal(), r.Normal(2, 3)]), "scalar");
        }
        Case("Div", r => new([r.Normal(2, 3), r.Uniform(1, 2, 3)]));
        Case("Neg", r => new([r.Normal(r.Sizes(3))]));
        Case("Sum", r => new([r.Normal(2, 3), r.Normal(3), r.Normal(2, 1)]));
        Case("Mean", r => new([r.Normal(2, 3), r.Normal(2, 3)]));
    }
}
