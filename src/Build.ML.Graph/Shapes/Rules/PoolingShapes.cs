namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Pooling over spatial dimensions of X [N, C, spatial…].</summary>
[ShapeRules]
sealed class PoolingShapes : ShapeRuleTable
{
    public PoolingShapes()
    {
        Rule(["MaxPool", "AveragePool", "LpPool"], Pool);
        Rule(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"], Global);
        Rule("MaxUnpool", MaxUnpool);
        Rule("MaxRoiPool", c => c.Set(0, c.ElementOf(0), Rois(c, c.ShapeOf(1), c.Ints("pooled_shape")?[0] ?? 0, c.Ints("pooled_shape")?[1] ?? 0)));
        Rule("RoiAlign", c => c.Set(0, c.ElementOf(0), Rois(c, c.ShapeOf(1), c.Int("output_height", 1), c.Int("output_width", 1))));
        Rule("QLinearGlobalAveragePool", Global, Microsoft);
        Rule("QLinearAveragePool", Pool, Microsoft);
    }

    private static void Pool(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { Rank: > 2 } x || c.Ints("kernel_shape") is not { } kernel || c.Int("channels_last", 0) != 0)
        {
            c.Set(0, c.ElementOf(0), null);
            c.Set(1, DataType.Int64, null);
            return;
        }

        var window = new SlidingWindow(c, x.Rank - 2);
        var dimensions = x.Dimensions.ToArray();
        for (var i = 2; i < dimensions.Length; i++)
        {
            dimensions[i] = window.Output(i - 2, x[i], kernel[i - 2]);
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
        c.Set(1, DataType.Int64, new Shape(dimensions)); // MaxPool's Indices
    }

    private static void Global(ShapeContext c) => c.Set(
        0, c.ElementOf(0), c.ShapeOf(0) is { Rank: > 2 } x ? new Shape(x.Dimensions.Select((d, i) => i < 2 ? d : new Dimension(1))) : null);

    private static void MaxUnpool(ShapeContext c)
    {
        if (c.HasInput(2))
        {
            c.Set(0, c.ElementOf(0), c.DataOf(2) is { IsDefault: false } sizes ? sizes.ToShape() : null);
            return;
        }

        if (c.ShapeOf(0) is not { Rank: > 2 } x || c.Ints("kernel_shape") is not { } kernel)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        // size' = (size − 1)·stride − pads + kernel
        var window = new SlidingWindow(c, x.Rank - 2);
        c.Set(0, c.ElementOf(0), new Shape(x.Dimensions.Select((d, i) => i < 2
            ? d
            : (((SymbolicInteger)d - 1) * window.Strides[i - 2] + (kernel[i - 2] - window.Pads[i - 2] - window.Pads[i - 4 + x.Rank])).ToDimension())));
    }

    private static Shape? Rois(ShapeContext c, Shape? rois, long height, long width) =>
        c.ShapeOf(0) is { Rank: 4 } x && rois is { Rank: 2 } ? new Shape(rois[0], x[1], height, width) : null;
}
