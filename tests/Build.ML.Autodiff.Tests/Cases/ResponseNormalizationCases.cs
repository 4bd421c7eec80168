using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ResponseNormalizationCases : GradientCaseTable
{
    public ResponseNormalizationCases()
    {
        foreach (var size in new[] { 3, 5 })
            Case("LRN", r => new([r.Normal(2, 6, 2, 3)], NodeAttribute.Int("size", size), NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("bias", 2)), $"{size} channels");
        Case("MeanVarianceNormalization", r => new([r.Normal(2, 3, 2, 4)]), "channels");
        Case("MeanVarianceNormalization", r => new([r.Normal(2, 6)], NodeAttribute.Ints("axes", 1)), "rows");
    }
}
