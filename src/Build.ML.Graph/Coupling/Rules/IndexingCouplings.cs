using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Operators that pick by index: what is picked from is locked, all else passes.</summary>
[CouplingRules]
sealed class IndexingCouplings : CouplingRuleTable
{
    private const string ByIndex = "chooses by index along it";

    public IndexingCouplings()
    {
        Rule("Gather", Gather);
        Rule("TopK", c =>
        {
            var x = c.Layouts(0);
            var axis = ShapeFormulas.Axis(c.Node.Int("axis", -1), x.Count);
            var after = c.OutputShape(0);
            DimensionLayout[] result = [.. x];
            result[axis] = c.Computed(x[axis], after[axis], ByIndex);
            c.Set(0, result);
            c.Set(1, result);
        });
        Rule("Trilu", Triangle);
        Rule("Trilu", Triangle, Microsoft);
        Rule("EmbedLayerNormalization", Embed, Microsoft);
    }

    /// <summary>An embedding is a Gather of rows of a table, whose width is the axis.</summary>
    private static void Gather(CouplingContext c)
    {
        var (table, indices) = (c.Layouts(0), c.Layouts(1));
        var axis = ShapeFormulas.Axis(c.Node.Int("axis", 0), table.Count);
        c.Lock(table[axis], ByIndex);
        if (c.IsConstant(0))
        {
            for (var i = 0; i < table.Count; i++)
            {
                if (i != axis)
                {
                    c.Role(0, i, AxisRole.Parameter);
                    c.Mark(table[i], AxisMark.Hidden);
                }
            }
        }

        c.Set(0, [.. table.Take(axis), .. indices, .. table.Skip(axis + 1)]);
    }

    private static void Triangle(CouplingContext c)
    {
        c.Pass();
        c.Lock(c.Layouts(0)[^1], "keeps a triangle of it");
        c.Lock(c.Layouts(0)[^2], "keeps a triangle of it");
    }

    /// <summary>Ids [batch, seq], segments, tables of words, positions and segments [rows, hidden], gamma, beta.</summary>
    private static void Embed(CouplingContext c)
    {
        var ids = c.Layouts(0);
        var hidden = c.Layouts(2)[1];
        c.Mark(hidden, AxisMark.Hidden);
        c.Mark(hidden, AxisMark.Normalized);
        for (var i = 2; i < 7; i++)
        {
            if (c.HasInput(i))
            {
                var table = c.Layouts(i);
                c.Unify(hidden, table[^1]);
                c.Role(i, table.Count - 1, AxisRole.Parameter);
                if (table.Count > 1)
                {
                    c.Lock(table[0], ByIndex);
                }
            }
        }

        c.Set(0, ids[0], ids[1], hidden);
        c.Set(1, ids[0]);
        c.Set(2, ids[0], ids[1], hidden);
    }
}
