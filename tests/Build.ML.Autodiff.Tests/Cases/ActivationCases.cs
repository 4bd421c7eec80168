using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ActivationCases : GradientCaseTable
{
    const string Microsoft = "com.microsoft";

    public ActivationCases()
    {
        Case("Relu", r => new([r.Apart(0.25, r.Sizes(3))]));
        foreach (var opType in new[] { "Sigmoid", "Tanh", "Gelu" })
            Case(opType, r => new([r.Normal(r.Sizes(3))]));
        Case("Gelu", r => new([r.Normal(r.Sizes(3))], NodeAttribute.String("approximate", "tanh")), "tanh");
        Case("Gelu", r => new([r.Normal(r.Sizes(3))]), "", Microsoft);
        Case("QuickGelu", r => new([r.Normal(r.Sizes(3))]), "", Microsoft);
        Case("QuickGelu", r => new([r.Normal(r.Sizes(3))], NodeAttribute.Float("alpha", 1)), "SiLU", Microsoft);
        Case("FastGelu", r => new([r.Normal(2, 3)]), "", Microsoft);
        Case("FastGelu", r => new([r.Normal(2, 3), r.Normal(3)]), "bias", Microsoft);
        Case("BiasGelu", r => new([r.Normal(2, 3), r.Normal(3)]), "", Microsoft);
        Case("Swish", r => new([r.Normal(r.Sizes(3))], NodeAttribute.Float("alpha", 1.5f)) { Opset = 24 });
    }
}
