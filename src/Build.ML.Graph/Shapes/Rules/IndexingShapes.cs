namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators that pick elements by index or condition.</summary>
[ShapeRules]
sealed class IndexingShapes : ShapeRuleTable
{
    public IndexingShapes()
    {
        Rule("Gather", Gather);
        Rule("GatherElements", c => c.Set(0, c.ElementOf(0), c.ShapeOf(1)));
        Rule("GatherND", c => GatherND(c, c.Int("batch_dims", 0)));
        Rule("GatherND", c => GatherND(c, 0), Microsoft);
        Rule("ArrayFeatureExtractor", c => c.Set(0, c.ElementOf(0), null), "ai.onnx.ml");
        Rule("GatherBlockQuantized", GatherBlockQuantized, Microsoft);
        Rule("OneHot", OneHot);
        Rule("TopK", TopK);
        Rule("NonZero", c => c.Set(0, DataType.Int64, c.ShapeOf(0) is { } x ? new Shape(Math.Max(1, x.Rank), Dimension.Unknown) : ShapeFormulas.OfRank(2)));
        Rule("Compress", c => c.Set(0, c.ElementOf(0), c.Attribute("axis") is null ? ShapeFormulas.OfRank(1)
            : c.ShapeOf(0)?.With((int)c.Int("axis", 0), Dimension.Unknown)));
        Rule("Unique", c =>
        {
            c.Set(0, c.ElementOf(0), c.Attribute("axis") is null ? ShapeFormulas.OfRank(1) : c.ShapeOf(0)?.With((int)c.Int("axis", 0), Dimension.Unknown));
            for (var i = 1; i < 4; i++)
            {
                c.Set(i, DataType.Int64, ShapeFormulas.OfRank(1));
            }
        });
        Rule("NonMaxSuppression", c => c.Set(0, DataType.Int64, new Shape(Dimension.Unknown, 3)));
    }

    private static void Gather(ShapeContext c)
    {
        c.Set(0, c.ElementOf(0), Gathered(c, (int)c.Int("axis", 0), 1));
        if (c.ShapeOf(0)?.Rank == 1 && c.DataOf(0) is { IsDefault: false } data && c.ValuesOf(1) is { } indices)
        {
            c.SetData(0, [.. indices.Select(i => data[ShapeFormulas.Axis(i, data.Length)])]);
        }
    }

    private static Shape? Gathered(ShapeContext c, int axis, int indices)
    {
        if (c.ShapeOf(0) is not { } x || c.ShapeOf(indices) is not { } i)
        {
            return null;
        }

        var at = ShapeFormulas.Axis(axis, x.Rank);
        return new Shape([.. x.Dimensions[..at], .. i.Dimensions, .. x.Dimensions[(at + 1)..]]);
    }

    private static void GatherBlockQuantized(ShapeContext c)
    {
        var shape = Gathered(c, (int)c.Int("gather_axis", 0), 1);
        // In uint8 several elements share a byte along the last axis.
        var perByte = c.ElementOf(0) == DataType.UInt8 ? 8 / c.Int("bits", 4) : 1;
        c.Set(0, c.ElementOf(2), shape?.With(-1, ((SymbolicInteger)shape[-1] * perByte).ToDimension()));
    }

    private static void GatherND(ShapeContext c, long batch)
    {
        if (c.ShapeOf(0) is not { } x || c.ShapeOf(1) is not { Rank: > 0 } i || i[-1].Size is not { } last)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        c.Set(0, c.ElementOf(0), new Shape([.. i.Dimensions[..^1], .. x.Dimensions[(int)(batch + last)..]]));
    }

    private static void OneHot(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(2), null);
            return;
        }

        var axis = ShapeFormulas.Axis(c.Int("axis", -1), x.Rank + 1);
        var depth = c.DataOf(1) is { IsDefault: false } data ? data[0].ToDimension()
            : c.ConstantOf(1) is { Type: DataType.Float, Count: 1 } constant ? (long)constant.ToArray<float>()[0] : Dimension.Unknown;
        c.Set(0, c.ElementOf(2), new Shape(x.Dimensions.Insert(axis, depth)));
    }

    private static void TopK(ShapeContext c)
    {
        var k = c.InputCount > 1 ? c.DataOf(1) is { IsDefault: false } data ? data[0].ToDimension() : Dimension.Unknown : c.Int("k", 0);
        var shape = c.ShapeOf(0)?.With((int)c.Int("axis", -1), k);
        c.Set(0, c.ElementOf(0), shape);
        c.Set(1, DataType.Int64, shape);
    }
}
