using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ReshapingCases : GradientCaseTable
{
    public ReshapingCases()
    {
        Case("Reshape", r => new([r.Normal(2, 3, 4), Integers(0, -1, 2)]));
        Case("Flatten", r => new([r.Normal(2, 3, 4)], NodeAttribute.Int("axis", 2)));
        Case("Squeeze", r => new([r.Normal(2, 1, 4), Integers(1)]), "named");
        Case("Squeeze", r => new([r.Normal(1, 3, 1)]), "all");
        Case("Unsqueeze", r => new([r.Normal(2, 3), Integers(0, -1)]));
        Case("Transpose", r => new([r.Normal(2, 3, 4)]), "reversed");
        Case("Transpose", r => new([r.Normal(2, 3, 4)], NodeAttribute.Ints("perm", 1, 2, 0)), "cycle");
        Case("Cast", r => new([r.Normal(2, 3)], NodeAttribute.Int("to", (long)DataType.Float)), "same");
        Case("CastLike", r => new([r.Normal(2, 3), r.Normal(1)]) { Checked = [0] });
        Case("Expand", r => new([r.Normal(3, 1), Integers(2, 1, 4)]));
        Case("Tile", r => new([r.Normal(2, 3), Integers(3, 2)]), "both axes");
        Case("Tile", r => new([r.Normal(2, 3), Integers(1, 2)]), "one axis");
        foreach (var mode in new[] { "DCR", "CRD" })
            Case("DepthToSpace", r => new([r.Normal(2, 8, 2, 3)], NodeAttribute.Int("blocksize", 2), NodeAttribute.String("mode", mode)), mode);
        Case("SpaceToDepth", r => new([r.Normal(2, 2, 4, 2)], NodeAttribute.Int("blocksize", 2)));
    }

    internal static Tensor Integers(params long[] values) => Tensor.Of(values, values.Length);
}
