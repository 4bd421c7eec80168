using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>
/// Upsample became Resize (version 10), which then (11) took a region of interest as input 1 and asks how coordinates map. Before, they mapped by
/// x·scale ("asymmetric"), and nearest rounded down when enlarging, up when shrinking.
/// </summary>
[OpsetConversions]
sealed class ResizeConversions : OpsetConversionTable
{
    public ResizeConversions()
    {
        Since(7, ["Upsample"], c =>
        {
            if (c.Node.Attribute("height_scale")?.Value is float height && c.Node.Attribute("width_scale")?.Value is float width)
            {
                c.Node.SetAttribute(NodeAttribute.Floats("scales", 1, 1, height, width));
                c.Node.RemoveAttribute("height_scale");
                c.Node.RemoveAttribute("width_scale");
            }
        });
        Since(10, ["Upsample"], c => c.Node.OpType = "Resize");
        Since(11, ["Resize"], ToVersion11);
        // Empty tensors stood for inputs that are not meant; since version 13 these are left out.
        Since(13, ["Resize"], c =>
        {
            for (var i = 1; i <= 3; i++)
            {
                if (c.Node.Input(i)?.Constant is { Count: 0 })
                {
                    c.Node.SetInput(i, null);
                }
            }
        });
    }

    private static void ToVersion11(OpsetConversionContext c)
    {
        var node = c.Node;
        var scales = node.Input(1);
        if (node.String("mode", "nearest") == "nearest")
        {
            if (scales?.Constant is not { Type: DataType.Float } constant)
            {
                c.Refuse("its scales, which tell how nearest rounds, are no constant");
                return;
            }

            var factors = constant.ToArray<float>();
            var rounding = factors.All(f => f >= 1) ? "floor" : factors.All(f => f <= 1) ? "ceil" : null;
            if (rounding is null)
            {
                c.Refuse("it enlarges some dimensions and shrinks others, for which nearest has no common rounding");
                return;
            }

            node.SetAttribute(NodeAttribute.String("nearest_mode", rounding));
        }

        node.SetAttribute(NodeAttribute.String("coordinate_transformation_mode", "asymmetric"));
        // The region of interest may not be left out before version 13.
        c.SetConstant(1, "roi", Tensor.Of(Array.Empty<float>(), 0));
        node.SetInput(2, scales);
    }
}
