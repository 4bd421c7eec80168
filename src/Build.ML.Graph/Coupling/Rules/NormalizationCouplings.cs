using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Normalisations: everything passes; scale and bias are parameters of the dimensions they run along.</summary>
[CouplingRules]
sealed class NormalizationCouplings : CouplingRuleTable
{
    public NormalizationCouplings()
    {
        Rule("BatchNormalization", c => PerChannel(c, 5));
        Rule("InstanceNormalization", c =>
        {
            PerChannel(c, 3);
            for (var i = 2; i < c.Layouts(0).Count; i++)
            {
                c.Mark(c.Layouts(0)[i], AxisMark.Normalized); // channels of a group, where exporters write group normalisation with it
            }
        });
        Rule("GroupNormalization", Group);
        Rule(["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"], Layer);
        Rule(["LayerNormalization", "SimplifiedLayerNormalization"], Layer, Microsoft);
        Rule(["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"], Skip, Microsoft);
        Rule(["Softmax", "LogSoftmax", "Hardmax", "LpNormalization"], Softmax);
        Rule("LRN", c => Normalized(c, 1, 2));
        Rule("MeanVarianceNormalization", MeanVariance);
    }

    private static void PerChannel(CouplingContext c, int inputs)
    {
        c.Pass();
        var x = c.Layouts(0);
        for (var i = 1; i < inputs; i++)
        {
            c.Unify(x[1], c.Layouts(i)[0]);
            c.Role(i, 0, AxisRole.Parameter);
        }

        for (var i = 1; i < c.Node.Outputs.Count; i++)
        {
            c.Set(i, x[1]); // statistics in training
        }
    }

    /// <summary>Channels are (groups)(channels/groups), normalised over the latter; scale and bias have one element a channel, before version 21 one a group.</summary>
    private static void Group(CouplingContext c)
    {
        c.Pass();
        var x = c.Layouts(0);
        var groups = c.Fresh(c.Node.Int("num_groups", 1));
        var part = c.Fresh(x[1].Size / c.Node.Int("num_groups", 1));
        c.Unify(x[1], CouplingContext.Product(groups, part));
        c.AttributeIs("num_groups", groups);
        c.Mark(part, AxisMark.Normalized);
        for (var i = 1; i < 3; i++)
        {
            c.Unify(c.Layouts(i)[0].Size == x[1].Size ? x[1] : groups, c.Layouts(i)[0]);
            c.Role(i, 0, AxisRole.Parameter);
        }
    }

    private static void Layer(CouplingContext c)
    {
        c.Pass();
        var x = c.Layouts(0);
        var axis = ShapeFormulas.Axis(c.Node.Int("axis", -1), x.Count);
        for (var i = 1; i < c.InputCount; i++)
        {
            if (c.HasInput(i))
            {
                c.Align(i, x);
            }
        }

        for (var i = axis; i < x.Count; i++)
        {
            c.Mark(x[i], AxisMark.Normalized);
        }

        for (var i = 1; i < c.Node.Outputs.Count; i++)
        {
            c.Set(i, [.. x.Select((l, k) => k < axis ? l : DimensionLayout.Unit)]);
        }
    }

    /// <summary>Inputs: x, skip, gamma, then beta (not the simplified form) and bias; outputs: y, mean, inverse deviation, x + skip + bias.</summary>
    private static void Skip(CouplingContext c)
    {
        var x = c.Broadcast(c.Layouts(0), c.Layouts(1));
        for (var i = 2; i < c.InputCount; i++)
        {
            if (c.HasInput(i))
            {
                c.Align(i, x);
            }
        }

        c.Mark(x[^1], AxisMark.Normalized);
        c.Mark(x[^1], AxisMark.Hidden);
        DimensionLayout[] statistics = [.. x[..^1], DimensionLayout.Unit];
        c.Set(0, x);
        c.Set(1, statistics);
        c.Set(2, statistics);
        c.Set(3, x);
    }

    /// <summary>Over one axis; the softmaxes before version 13 over all from it on.</summary>
    private static void Softmax(CouplingContext c)
    {
        var isOld = c.Opset < 13 && c.Node.OpType != "LpNormalization";
        var rank = c.Layouts(0).Count;
        var axis = (int)c.Node.Int("axis", isOld ? 1 : -1);
        axis = axis < 0 ? axis + rank : axis;
        Normalized(c, axis, isOld ? rank : axis + 1);
    }

    private static void MeanVariance(CouplingContext c)
    {
        var axes = c.Node.Ints("axes");
        Normalized(c, 0, 0);
        foreach (var axis in axes.IsDefault ? [0, 2, 3] : axes)
        {
            c.Mark(c.Layouts(0)[ShapeFormulas.Axis(axis, c.Layouts(0).Count)], AxisMark.Normalized);
        }
    }

    private static void Normalized(CouplingContext c, int from, int to)
    {
        c.Pass();
        for (var i = from; i < to; i++)
        {
            c.Mark(c.Layouts(0)[i], AxisMark.Normalized);
        }
    }
}
