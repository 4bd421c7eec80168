using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Reductions over axes given by attribute or, in later versions, by input.</summary>
[CouplingRules]
sealed class ReductionCouplings : CouplingRuleTable
{
    public ReductionCouplings()
    {
        Rule(["ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"], c => Reduce(c, AxisMark.Summed));
        Rule(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"], c => Reduce(c, AxisMark.Normalized));
        Rule(["ArgMax", "ArgMin"], c =>
        {
            var x = c.Layouts(0);
            var axis = ShapeFormulas.Axis(c.Node.Int("axis", 0), x.Count);
            c.Lock(x[axis], "yields positions along it");
            c.Set(0, Without(x, i => i == axis, c.Node.Int("keepdims", 1) != 0));
        });
    }

    private static void Reduce(CouplingContext c, AxisMark mark)
    {
        var x = c.Layouts(0);
        var axes = c.Axes("axes", 1) ?? [];
        var none = axes.Count == 0;
        if (none && c.Node.Int("noop_with_empty_axes", 0) != 0)
        {
            c.Pass();
            return;
        }

        var mask = none ? null : ShapeFormulas.AxisMask(axes, x.Count);
        bool IsReduced(int i) => mask is null || mask[i];
        for (var i = 0; i < x.Count; i++)
        {
            if (IsReduced(i))
            {
                c.Mark(x[i], mark);
            }
        }

        c.Set(0, Without(x, IsReduced, c.Node.Int("keepdims", 1) != 0));
    }

    private static DimensionLayout[] Without(IReadOnlyList<DimensionLayout> x, Func<int, bool> isReduced, bool keep) => keep
        ? [.. x.Select((l, i) => isReduced(i) ? DimensionLayout.Unit : l)]
        : [.. x.Where((_, i) => !isReduced(i))];
}
