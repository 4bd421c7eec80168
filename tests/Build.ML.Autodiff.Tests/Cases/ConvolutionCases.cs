using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class ConvolutionCases : GradientCaseTable
{
    public ConvolutionCases()
    {
        Case("Conv", r => new([r.Normal(2, 3, 6), r.Normal(4, 3, 3), r.Normal(4)]), "1-D");
        Case("Conv", r => new([r.Normal(2, 3, 5, 4), r.Normal(4, 3, 3, 3), r.Normal(4)], Pads(1, 1, 1, 1)), "3×3 with padding");
        Case("Conv", r => new([r.Normal(2, 3, 5, 4), r.Normal(4, 3, 1, 1)]), "1×1");
        Case("Conv", r => new([r.Normal(2, 2, 5, 6), r.Normal(3, 2, 1, 1)], Strides(2, 2)), "1×1 with stride");
        foreach (var size in new[] { 6, 7 })
            Case("Conv", r => new([r.Normal(1, 2, size, 6), r.Normal(3, 2, 3, 3)], Pads(1, 1, 1, 1), Strides(2, 2)), $"strided over {size}");
        Case("Conv", r => new([r.Normal(1, 2, 5, 6), r.Normal(3, 2, 2, 3)], Pads(0, 2, 1, 1), Strides(1, 2)), "uneven padding and kernel");
        Case("Conv", r => new([r.Normal(1, 2, 7, 6), r.Normal(3, 2, 3, 2)], Pads(1, 0, 1, 1), NodeAttribute.Ints("dilations", 2, 3)), "dilated");
        Case("Conv", r => new([r.Normal(1, 4, 5, 5), r.Normal(6, 2, 3, 3), r.Normal(6)], Pads(1, 1, 1, 1), Group(2)), "groups");
        Case("Conv", r => new([r.Normal(2, 3, 5, 5), r.Normal(3, 1, 3, 3)], Pads(1, 1, 1, 1), Group(3)), "depthwise");
        Case("Conv", r => new([r.Normal(2, 3, 6, 5), r.Normal(6, 1, 3, 3)], Pads(1, 1, 1, 1), Strides(2, 2), Group(3)), "depthwise, strided, two outputs for each input");
        foreach (var mode in new[] { "SAME_UPPER", "SAME_LOWER", "VALID" })
            Case("Conv", r => new([r.Normal(1, 2, 6, 5), r.Normal(2, 2, 2, 3)], Strides(2, 1), NodeAttribute.String("auto_pad", mode)), mode);
        Case("Conv", r => new([r.Normal(1, 2, 3, 4, 3), r.Normal(2, 2, 2, 3, 2)], Pads(0, 1, 1, 0, 1, 0)), "3-D");

        Case("ConvTranspose", r => new([r.Normal(2, 3, 5), r.Normal(3, 2, 3), r.Normal(2)]), "1-D");
        Case("ConvTranspose", r => new([r.Normal(1, 3, 3, 4), r.Normal(3, 2, 3, 3), r.Normal(2)], Pads(1, 1, 1, 1), Strides(2, 2)), "strided");
        Case("ConvTranspose",
            r => new([r.Normal(1, 3, 3, 4), r.Normal(3, 2, 3, 3)], Pads(1, 1, 1, 1), Strides(2, 2), NodeAttribute.Ints("output_padding", 1, 1)), "output padding");
        Case("ConvTranspose", r => new([r.Normal(1, 4, 3, 3), r.Normal(4, 1, 2, 3)], Group(2), NodeAttribute.Ints("dilations", 2, 1)), "groups, dilated");
        Case("ConvTranspose", r => new([r.Normal(1, 2, 3, 3), r.Normal(2, 1, 3, 3)], Strides(2, 2), NodeAttribute.Ints("output_shape", 6, 7)), "output shape");
        foreach (var mode in new[] { "SAME_UPPER", "SAME_LOWER" })
            Case("ConvTranspose", r => new([r.Normal(1, 2, 3, 3), r.Normal(2, 1, 3, 3)], Strides(2, 2), NodeAttribute.String("auto_pad", mode)), mode);

        Case("Col2Im", r => new([r.Normal(2, 8, 12), Of(4, 5), Of(2, 2)]), "2×2");
        Case("Col2Im", r => new([r.Normal(1, 9, 6), Of(5, 4), Of(3, 3)], Pads(1, 1, 1, 1), Strides(2, 2)), "strided with padding");
    }

    internal static NodeAttribute Pads(params long[] pads) => NodeAttribute.Ints("pads", pads);

    internal static NodeAttribute Strides(params long[] strides) => NodeAttribute.Ints("strides", strides);

    internal static NodeAttribute Kernel(params long[] kernel) => NodeAttribute.Ints("kernel_shape", kernel);

    static NodeAttribute Group(long group) => NodeAttribute.Int("group", group);

    static Tensor Of(params long[] values) => Tensor.Of(values, values.Length);
}
