using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class LayerNormalizationCases : GradientCaseTable
{
    const string Microsoft = "com.microsoft";

    public LayerNormalizationCases()
    {
        Case("LayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(8), r.Normal(8)]), "last axis");
        Case("LayerNormalization", r => new([r.Normal(2, 3, 4), r.Normal(3, 4), r.Normal(3, 4)], NodeAttribute.Int("axis", 1), NodeAttribute.Float("epsilon", 0.1f)), "two axes");
        Case("LayerNormalization", r => new([r.Normal(3, 8), r.Normal(8)]), "no bias");
        Case("LayerNormalization", r => new([r.Normal(3, 8), r.Normal(8), r.Normal(8)]) { Checked = [1, 2] }, "scale and bias only");
        Case("LayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(8), r.Normal(8)]) { Outputs = 3 }, "statistics are read");
        Case("SimplifiedLayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(8)]));
        Case("SimplifiedLayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(8)]) { Outputs = 2 }, "statistics are read");
        Case("RMSNormalization", r => new([r.Normal(2, 3, 8), r.Normal(8)]) { Opset = 23 }, "last axis");
        Case("RMSNormalization", r => new([r.Normal(2, 3, 4), r.Normal(3, 4)], NodeAttribute.Int("axis", -2)) { Opset = 23 }, "two axes");
        Case("SkipLayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(2, 3, 8), r.Normal(8), r.Normal(8), r.Normal(8)]), "bias", Microsoft);
        Case("SkipLayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(2, 3, 8), r.Normal(8)], NodeAttribute.Float("epsilon", 0.1f)), "no bias", Microsoft);
        Case("SkipSimplifiedLayerNormalization", r => new([r.Normal(2, 3, 8), r.Normal(2, 3, 8), r.Normal(8), r.Normal(8)]), "bias", Microsoft);
    }
}
