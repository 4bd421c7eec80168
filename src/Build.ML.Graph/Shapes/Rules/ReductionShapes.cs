namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Reductions over axes, given by attribute or, in later versions, by input.</summary>
[ShapeRules]
sealed class ReductionShapes : ShapeRuleTable
{
    public ReductionShapes()
    {
        Rule(
            [
                "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
            ],
            c => c.Set(0, c.ElementOf(0), Reduced(c)));
        Rule("ReduceProd", c =>
        {
            c.Set(0, c.ElementOf(0), Reduced(c));
            if (c.DataOf(0) is { IsDefault: false } data && c.ShapeOf(0)?.Rank == 1)
            {
                c.SetData(0, [data.Aggregate((SymbolicInteger)1, (a, b) => a * b)]);
            }
        });
        Rule(["ArgMax", "ArgMin"], c =>
        {
            if (c.ShapeOf(0) is not { } x)
            {
                c.Set(0, DataType.Int64, null);
                return;
            }

            c.Set(0, DataType.Int64, Reduce(x, ShapeFormulas.AxisMask([c.Int("axis", 0)], x.Rank), c.Int("keepdims", 1) != 0));
        });
    }

    private static Shape? Reduced(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            return null;
        }

        var keep = c.Int("keepdims", 1) != 0;
        IReadOnlyList<long>? axes = c.HasInput(1) ? c.ValuesOf(1) : c.Ints("axes") is { } given ? given : [];
        if (axes is null)
        {
            return keep ? ShapeFormulas.OfRank(x.Rank) : null;
        }

        if (axes.Count == 0)
        {
            return c.Int("noop_with_empty_axes", 0) != 0 ? x : Reduce(x, Enumerable.Repeat(true, x.Rank).ToArray(), keep);
        }

        return Reduce(x, ShapeFormulas.AxisMask(axes, x.Rank), keep);
    }

    private static Shape Reduce(Shape x, bool[] reduced, bool keep) => keep
        ? new Shape(x.Dimensions.Select((d, i) => reduced[i] ? new Dimension(1) : d))
        : new Shape(x.Dimensions.Where((_, i) => !reduced[i]));
}
