using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ResizeCases : GradientCaseTable
{
    public ResizeCases()
    {
        foreach (var coordinates in new[] { "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric" })
            foreach (var mode in new[] { "nearest", "linear", "cubic" })
            {
                NodeAttribute[] Attributes() => [NodeAttribute.String("mode", mode), NodeAttribute.String("coordinate_transformation_mode", coordinates)];
                Case("Resize", r => new([r.Normal(1, 2, 3, 4), null, null, Sizes(1, 2, 7, 6)], Attributes()), $"{mode}, {coordinates}, to sizes");
                Case("Resize", r => new([r.Normal(1, 2, 6, 5), null, Scales(1, 1, 0.6f, 2)], Attributes()) { Checked = [0] }, $"{mode}, {coordinates}, by scales");
            }
        foreach (var rounding in new[] { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil" })
            Case("Resize",
                r => new([r.Normal(1, 2, 4, 3), null, Scales(1, 1, 2, 2)], NodeAttribute.String("coordinate_transformation_mode", "asymmetric"),
                    NodeAttribute.String("nearest_mode", rounding))
                { Checked = [0] },
                rounding);
        Case("Resize",
            r => new([r.Normal(1, 1, 4, 4), null, Scales(1, 1, 1.5f, 1.5f)], NodeAttribute.String("mode", "cubic"), NodeAttribute.Int("exclude_outside", 1),
                NodeAttribute.Float("cubic_coeff_a", -0.5f))
            { Checked = [0] },
            "cubic without what is outside");
        Case("Resize", r => new([r.Normal(2, 3, 4), null, Scales(3)], NodeAttribute.Ints("axes", 2), NodeAttribute.String("mode", "linear")) { Checked = [0] }, "one axis");
    }

    static Tensor Sizes(params long[] values) => Tensor.Of(values, values.Length);

    static Tensor Scales(params float[] values) => Tensor.Of(values, values.Length);
}
