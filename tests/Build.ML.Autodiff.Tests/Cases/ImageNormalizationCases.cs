using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ImageNormalizationCases : GradientCaseTable
{
    public ImageNormalizationCases()
    {
        foreach (var (name, sizes) in new (string, long[])[] { ("images", [3, 2, 2, 3]), ("sequences", [4, 3, 4]), ("features", [6, 3]) })
            Case("BatchNormalization", r => new([r.Normal(sizes), r.Normal(sizes[1]), r.Normal(sizes[1]), r.Normal(sizes[1]), r.Uniform(1, 2, sizes[1])])
            {
                KeepsValues = false,
                // Running statistics are no weights.
                Checked = [0, 1, 2],
            }, name);
        Case("BatchNormalization", r => new([r.Normal(3, 2, 2, 3), r.Normal(2), r.Normal(2), r.Normal(2), r.Uniform(1, 2, 2)])
        {
            Checked = [0, 1, 2],
            Options = o => o with { BatchStatistics = false },
        }, "frozen statistics");
        Case("InstanceNormalization", r => new([r.Normal(2, 3, 3, 4), r.Normal(3), r.Normal(3)]));
        Case("GroupNormalization", r => new([r.Normal(2, 4, 3, 2), r.Normal(4), r.Normal(4)], NodeAttribute.Int("num_groups", 2)));
    }
}
