using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Operators that give the same elements another shape: the product of all dimensions before is that after.</summary>
[CouplingRules]
sealed class ReshapingCouplings : CouplingRuleTable
{
    public ReshapingCouplings()
    {
        Rule("Reshape", Reshape);
        Rule("Flatten", Flatten);
        Rule("Squeeze", Squeeze);
        Rule("Unsqueeze", Unsqueeze);
        Rule("Transpose", c =>
        {
            var x = c.Layouts(0);
            var perm = c.Node.Ints("perm");
            c.Set(0, perm.IsDefault ? [.. x.Reverse()] : [.. perm.Select(p => x[ShapeFormulas.Axis(p, x.Count)])]);
        });
    }

    private static void Reshape(CouplingContext c)
    {
        var x = c.Layouts(0);
        var after = c.OutputShape(0);
        var byAttribute = c.Node.Ints("shape");
        var target = c.HasInput(1) ? c.DataOf(1) : byAttribute.IsDefault ? default : [.. byAttribute.Select(v => new SymbolicInteger(v))];
        if (target.IsDefault)
        {
            throw new InvalidOperationException("the shape it gives is not known");
        }

        var result = after.Dimensions.Select(c.Fresh).ToArray();
        for (var i = 0; i < result.Length; i++)
        {
            if (target[i].Value == 0 && i < x.Count && c.Node.Int("allowzero", 0) == 0)
            {
                result[i] = x[i];
            }
            else if (target[i].Value is > 0 && result[i].Size != 1)
            {
                if (c.HasInput(1))
                {
                    c.ElementIs(1, i, result[i]);
                }
                else
                {
                    c.AttributeIs("shape", i, result[i]);
                }
            }
        }

        c.Unify(CouplingContext.Product([.. x]), CouplingContext.Product(result));
        c.Set(0, result);
    }

    private static void Flatten(CouplingContext c)
    {
        var x = c.Layouts(0);
        var axis = (int)c.Node.Int("axis", 1);
        axis = axis < 0 ? axis + x.Count : axis;
        c.Set(0, CouplingContext.Product([.. x.Take(axis)]), CouplingContext.Product([.. x.Skip(axis)]));
    }

    private static void Squeeze(CouplingContext c)
    {
        var x = c.Layouts(0);
        if (c.Axes("axes", 1) is not { } axes)
        {
            // What has one position left would be squeezed too.
            foreach (var layout in x)
            {
                c.Lock(layout, "squeezes every dimension of size 1, also one that a removal leaves with one position");
            }

            c.OutputShape(0);
            c.Set(0, [.. x.Where(l => l.Size != 1)]);
            return;
        }

        var mask = ShapeFormulas.AxisMask(axes, x.Count);
        c.Set(0, [.. x.Where((_, i) => !mask[i])]);
    }

    private static void Unsqueeze(CouplingContext c)
    {
        var x = c.Layouts(0);
        var axes = c.Axes("axes", 1) ?? throw new InvalidOperationException("its axes are not given");
        var mask = ShapeFormulas.AxisMask(axes, x.Count + axes.Count);
        var next = 0;
        c.Set(0, [.. mask.Select(m => m ? DimensionLayout.Unit : x[next++])]);
    }
}
