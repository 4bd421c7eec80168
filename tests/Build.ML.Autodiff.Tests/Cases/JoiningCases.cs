using Build.ML.Graph.Ir;
using static Build.ML.Autodiff.Tests.Cases.ReshapingCases;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class JoiningCases : GradientCaseTable
{
    public JoiningCases()
    {
        Case("Concat", r => new([r.Normal(2, 1, 2), r.Normal(2, 3, 2), r.Normal(2, 2, 2)], NodeAttribute.Int("axis", -2)), "all");
        Case("Concat", r => new([r.Normal(2, 1), r.Normal(2, 3), r.Normal(2, 2)], NodeAttribute.Int("axis", 1)) { Checked = [1] }, "the middle one only");
        Case("Split", r => new([r.Normal(2, 6), Integers(1, 3, 2)], NodeAttribute.Int("axis", 1)) { Outputs = 3 }, "sizes");
        Case("Split", r => new([r.Normal(5, 2)], NodeAttribute.Int("num_outputs", 2)) { Outputs = 2 }, "uneven");
        Case("Slice", r => new([r.Normal(4, 5), Integers(1, -3), Integers(3, 100)]), "no axes");
        Case("Slice", r => new([r.Normal(4, 5, 6), Integers(1, -1), Integers(long.MaxValue, 0), Integers(-1, 1), Integers(2, -3)]), "steps");
        Case("Slice", r => new([r.Normal(7), Integers(-2), Integers(long.MinValue), Integers(0), Integers(-2)]), "to the front");
        Case("Slice", r => new([r.Normal(3), Integers(2), Integers(1), Integers(0)]), "nothing");
        Case("Pad", r => new([r.Normal(2, 3), Integers(1, 0, 2, 1)]), "zeros");
        Case("Pad", r => new([r.Normal(3, 4), Integers(-1, 1, 1, -2), r.Normal()]), "cut and value");
        Case("Pad", r => new([r.Normal(2, 3), Integers(2, 1), null, Integers(-1)]), "one axis");
        foreach (var mode in new[] { "reflect", "edge", "wrap" })
            Case("Pad", r => new([r.Normal(3, 4), Integers(2, 1, 1, 3)], NodeAttribute.String("mode", mode)), mode);
    }
}
