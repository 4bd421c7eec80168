namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Normalizations that yield statistics beside the normalized tensor.</summary>
[ShapeRules]
sealed class NormalizationShapes : ShapeRuleTable
{
    public NormalizationShapes()
    {
        Rule("BatchNormalization", c =>
        {
            c.Set(0, c.ElementOf(0), c.ShapeOf(0));
            for (var i = 1; i < c.OutputCount; i++)
            {
                c.Set(i, c.ElementOf(3), c.ShapeOf(3)); // running mean and variance; before version 9 also the saved ones
            }
        });
        Rule(["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"], Layer);
        Rule(["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"], Skip, Microsoft);
        Rule(["LayerNormalization", "SimplifiedLayerNormalization"], Layer, Microsoft);
        Rule("SkipGroupNorm", c =>
        {
            c.Set(0, c.ElementOf(0), c.ShapeOf(0));
            c.Set(1, c.ElementOf(0), c.ShapeOf(0));
        }, Microsoft);
        Rule("EmbedLayerNormalization", c =>
        {
            var shape = c.ShapeOf(0) is { Rank: 2 } ids && c.ShapeOf(2) is { Rank: 2 } table ? new Shape(ids[0], ids[1], table[1]) : null;
            c.Set(0, c.ElementOf(2), shape);
            c.Set(1, DataType.Int32, c.ShapeOf(0) is { Rank: 2 } s ? new Shape(s[0]) : null);
            c.Set(2, c.ElementOf(2), shape);
        }, Microsoft);
    }

    private static void Layer(ShapeContext c)
    {
        c.Set(0, c.ElementOf(0), c.ShapeOf(0));
        Shape? statistics = null;
        if (c.ShapeOf(0) is { Rank: > 0 } x)
        {
            var axis = ShapeFormulas.Axis(c.Int("axis", -1), x.Rank);
            statistics = new Shape(x.Dimensions.Select((d, i) => i < axis ? d : new Dimension(1)));
        }

        var element = c.Element("stash_type", DataType.Float);
        c.Set(1, element, statistics);
        c.Set(2, element, statistics);
    }

    private static void Skip(ShapeContext c)
    {
        c.Set(0, c.ElementOf(0), c.ShapeOf(0));
        var statistics = c.ShapeOf(0) is { Rank: > 0 } x ? x.With(-1, 1) : null;
        c.Set(1, DataType.Float, statistics);
        c.Set(2, DataType.Float, statistics);
        c.Set(3, c.ElementOf(0), c.ShapeOf(0)); // input + skip + bias
    }
}
