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
}
