using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class RareActivationCases : GradientCaseTable
{
    public RareActivationCases()
    {
        foreach (var opType in new[] { "LeakyRelu", "Elu", "Celu" })
            Case(opType, r => new([r.Apart(0.25, r.Sizes(3))], NodeAttribute.Float("alpha", 0.7f)));
        Case("Selu", r => new([r.Apart(0.25, r.Sizes(3))]));
        Case("PRelu", r => new([r.Apart(0.25, 2, 3, 2), r.Normal(3, 1)]), "per channel");
        Case("PRelu", r => new([r.Apart(0.25, 2, 3), r.Normal(1)]), "one");
        Case("ThresholdedRelu", r => new([r.Apart(0.25, r.Sizes(3))], NodeAttribute.Float("alpha", 0.5f)));
        Case("Shrink", r => new([r.Apart(0.25, r.Sizes(3))], NodeAttribute.Float("lambd", 0.5f), NodeAttribute.Float("bias", 0.25f)));
        foreach (var opType in new[] { "Softplus", "Mish" })
            Case(opType, r => new([r.Normal(r.Sizes(3))]));
        Case("Softsign", r => new([r.Apart(0.25, r.Sizes(3))]));
        Case("HardSigmoid", r => new([r.Apart(0.47, 4, 4)]));
        Case("HardSwish", r => new([r.Apart(0.47, 4, 5)]));
    }
}
