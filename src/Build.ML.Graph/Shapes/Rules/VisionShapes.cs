namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Sampling of images at computed places.</summary>
[ShapeRules]
sealed class VisionShapes : ShapeRuleTable
{
    public VisionShapes()
    {
        Rule("GridSample", GridSample);
        Rule("GridSample", GridSample, Microsoft);
        Rule("AffineGrid", c =>
        {
            // size is (N, C, spatial…); the grid is (N, spatial…, number of spatial dimensions)
            var size = c.DataOf(1);
            c.Set(0, c.ElementOf(0), size.IsDefault ? null : new Shape([size[0].ToDimension(), .. size[2..].ToShape().Dimensions, size.Length - 2]));
        });
        Rule("ImageDecoder", c => c.Set(
            0, DataType.UInt8, new Shape(Dimension.Unknown, Dimension.Unknown, c.String("pixel_format", "RGB") == "Grayscale" ? 1 : 3)));
    }

    private static void GridSample(ShapeContext c) => c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { Rank: > 2 } x && c.ShapeOf(1) is { Rank: > 2 } grid
        ? new Shape([x[0], x[1], .. grid.Dimensions[1..^1]]) : null);
}
