using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using static Build.ML.Autodiff.Tests.Cases.ConvolutionCases;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class PoolingCases : GradientCaseTable
{
    // Elements this far apart keep their order under the largest step of the differences, 1/32.
    const double Gap = 0.1;

    public PoolingCases()
    {
        Case("MaxPool", r => new([r.Apart(Gap, 2, 2, 4, 6)], Kernel(2, 2), Strides(2, 2)), "2×2");
        Case("MaxPool", r => new([r.Apart(Gap, 2, 2, 5, 5)], Kernel(2, 2), Strides(2, 2)), "2×2, last row unseen");
        Case("MaxPool", r => new([r.Apart(Gap, 2, 2, 5, 5)], Kernel(2, 2), Strides(2, 2), Pads(1, 0, 0, 1)), "2×2 with padding");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 5, 6)], Kernel(3, 3), Strides(2, 2), Pads(1, 1, 1, 1)), "overlapping with padding");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 6, 5)], Kernel(3, 2), Strides(2, 2), NodeAttribute.Int("ceil_mode", 1)), "ceil");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 6, 5)], Kernel(2, 2), NodeAttribute.Ints("dilations", 2, 1)), "dilated");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 6, 5)], Kernel(3, 3), Strides(2, 2), NodeAttribute.String("auto_pad", "SAME_LOWER")), "SAME_LOWER");
        Case("MaxPool", r => new([r.Apart(Gap, 2, 2, 7)], Kernel(3)), "1-D");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 3, 4, 3)], Kernel(2, 2, 2)), "3-D");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 4, 4)], Kernel(2, 2)) { Outputs = 2 }, "with indices");
        Case("MaxPool", r => new([r.Apart(Gap, 1, 2, 4, 6)], Kernel(2, 2), NodeAttribute.Int("storage_order", 1)) { Outputs = 2 }, "with indices by columns");
        Case("GlobalMaxPool", r => new([r.Apart(Gap, 2, 3, 3, 4)]));
        Case("MaxUnpool", r => new([r.Normal(1, 2, 2, 2), Corners()], Kernel(2, 2), Strides(2, 2)));
        foreach (var includePadding in new[] { 0, 1 })
        {
            NodeAttribute Count() => NodeAttribute.Int("count_include_pad", includePadding);
            var name = includePadding == 1 ? ", padding counts" : "";
            Case("AveragePool", r => new([r.Normal(2, 2, 4, 6)], Kernel(2, 2), Strides(2, 2), Count()), "2×2" + name);
            Case("AveragePool", r => new([r.Normal(1, 2, 5, 6)], Kernel(3, 3), Strides(2, 2), Pads(1, 0, 1, 1), Count()), "overlapping" + name);
            Case("AveragePool",
                r => new([r.Normal(1, 2, 6, 5)], Kernel(3, 2), Strides(2, 2), Pads(0, 1, 0, 1), NodeAttribute.Int("ceil_mode", 1), Count()), "ceil" + name);
            Case("AveragePool", r => new([r.Normal(1, 2, 7)], Kernel(2), NodeAttribute.Ints("dilations", 2), Pads(1, 1), Count()), "1-D, dilated" + name);
        }
        Case("GlobalAveragePool", r => new([r.Normal(2, 3, 3, 4)]));
        foreach (var p in new[] { 1, 2, 3 })
        {
            Case("LpPool", r => new([r.Apart(Gap, 1, 2, 4, 4)], Kernel(2, 2), Strides(1, 2), NodeAttribute.Int("p", p)), $"p = {p}");
            Case("GlobalLpPool", r => new([r.Apart(Gap, 1, 2, 3, 3)], NodeAttribute.Int("p", p)), $"p = {p}");
        }
    }

    // Element (0 or 1, 0 or 1) of each 2×2 window of two images of 4×4.
    static Tensor Corners() => Tensor.Of<long>([0, 3, 12, 11, 17, 22, 29, 30], 1, 2, 2, 2);
}
