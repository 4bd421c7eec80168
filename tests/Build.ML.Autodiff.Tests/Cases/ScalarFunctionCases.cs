using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ScalarFunctionCases : GradientCaseTable
{
    public ScalarFunctionCases()
    {
        foreach (var opType in new[] { "Sin", "Cos", "Sinh", "Cosh", "Atan", "Asinh" })
            Case(opType, r => new([r.Normal(r.Sizes(2))]));
        foreach (var opType in new[] { "Tan", "Asin", "Acos", "Atanh" })
            Case(opType, r => new([r.Uniform(-0.7, 0.7, r.Sizes(2))]));
        Case("Acosh", r => new([r.Uniform(1.5, 3, r.Sizes(2))]));
        foreach (var opType in new[] { "Floor", "Ceil", "Round", "Sign" })
            Case(opType, r => new([r.Apart(0.25, 3, 4)]) { IsZero = true, Step = 1.0 / 128 });
        Case("Hardmax", r => new([r.Apart(0.25, 3, 4)]) { IsZero = true });
        Case("Mod", r => new([r.Uniform(5.6, 5.9, 2, 3), r.Uniform(1.05, 1.1, 3)], NodeAttribute.Int("fmod", 1)) { Step = 1.0 / 512 });
    }
}
