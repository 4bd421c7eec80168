namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Pooling and resizing: channels pass, spatial dimensions are computed by position.</summary>
[CouplingRules]
sealed class WindowCouplings : CouplingRuleTable
{
    private const string Slides = "slides a window over it";
    private const string Resamples = "resamples it";

    public WindowCouplings()
    {
        Rule(["MaxPool", "AveragePool", "LpPool"], Pool);
        Rule(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"], c => c.Set(0, c.Windowed("pools over it", c.Layouts(0)[1])));
        Rule(["Resize", "Upsample"], Resize);
        Rule("GridSample", c => c.Set(0, c.Windowed(Resamples, c.Layouts(0)[1])));
        Rule(["DepthToSpace", "SpaceToDepth"], Blocks);
        Rule("Pad", Pad);
    }

    private static void Pool(CouplingContext c)
    {
        var layouts = c.Windowed(Slides, c.Layouts(0)[1]);
        c.Set(0, layouts);
        if (c.Node.Outputs.Count > 1)
        {
            // Indices count over the whole tensor, channels too.
            c.Set(1, [layouts[0], c.Locked(c.OutputShape(0)[1], "yields positions in the whole tensor"), .. layouts[2..]]);
            c.Lock(layouts[1], "yields positions in the whole tensor");
        }
    }

    /// <summary>Dimensions of the same size before and after pass; by sizes, these must go on naming it.</summary>
    private static void Resize(CouplingContext c)
    {
        var x = c.Layouts(0);
        var (before, after) = (c.ShapeOf(0)!, c.OutputShape(0));
        var axes = c.Node.Ints("axes");
        var sizes = c.Opset > 10 && c.HasInput(3) && c.ShapeOf(3)?.Count != 0 ? c.DataOf(3) : default;
        var result = new DimensionLayout[x.Count];
        for (var i = 0; i < result.Length; i++)
        {
            // The first two are batch and channels of every Resize that a runtime has kernels for.
            var passes = before[i] == after[i] && (before[i].IsKnown || before[i].Symbol is not null || i < 2);
            result[i] = passes ? x[i] : c.Computed(x[i], after[i], Resamples);
            var element = axes.IsDefault ? i : axes.IndexOf(i);
            if (passes && !sizes.IsDefault && element >= 0 && element < sizes.Length && sizes[element].IsKnown)
            {
                c.ElementIs(3, element, x[i]);
            }
        }

        c.Set(0, result);
    }

    /// <summary>Channels as (block)(block)(channels) by depth first (DCR), or (channels)(block)(block).</summary>
    private static void Blocks(CouplingContext c)
    {
        var toSpace = c.Node.OpType == "DepthToSpace";
        var (x, after) = (c.Layouts(0), c.OutputShape(0));
        var size = c.Node.Int("blocksize", 1);
        var blocks = c.Locked(size * size, "moves it to space and back");
        var few = toSpace ? c.Fresh(after[1]) : x[1];
        var many = c.Node.String("mode", "DCR") == "CRD" ? CouplingContext.Product(few, blocks) : CouplingContext.Product(blocks, few);
        if (toSpace)
        {
            c.Unify(x[1], many);
        }

        c.Set(0, x[0], toSpace ? few : many, c.Computed(x[2], after[2], "moves blocks of it"), c.Computed(x[3], after[3], "moves blocks of it"));
    }

    /// <summary>A dimension padded by a constant is what is put before, the dimension, and what is put behind (ResNet's parameter-free shortcuts).</summary>
    private static void Pad(CouplingContext c)
    {
        var x = c.Layouts(0);
        var after = c.OutputShape(0);
        var byAttribute = c.Node.Ints("pads") is { IsDefault: false } ? "pads" : c.Node.Ints("paddings") is { IsDefault: false } ? "paddings" : null;
        var pads = byAttribute is not null ? [.. c.Node.Ints(byAttribute)] : c.ValuesOf(1);
        var axes = c.HasInput(3) ? c.ValuesOf(3) ?? throw new InvalidOperationException("the axes it pads are not known") : null;
        var result = x.ToArray();
        for (var i = 0; i < (axes?.Length ?? x.Count); i++)
        {
            var axis = axes is null ? i : Shapes.ShapeFormulas.Axis(axes[i], x.Count);
            var (before, behind) = pads is null ? (1, 1) : (pads[i], pads[i + pads.Length / 2]);
            if (before == 0 && behind == 0)
            {
                continue;
            }

            if (pads is null || before < 0 || behind < 0 || !x[axis].IsKnown || x[axis].Size == 1 || c.Node.String("mode", "constant") != "constant")
            {
                result[axis] = c.Computed(x[axis], after[axis], "pads it");
                continue;
            }

            var parts = new List<DimensionLayout>();
            if (before > 0)
            {
                parts.Add(Padding(i, before));
            }

            parts.Add(x[axis]);
            if (behind > 0)
            {
                parts.Add(Padding(i + pads.Length / 2, behind));
            }

            result[axis] = CouplingContext.Sum([.. parts]);
        }

        c.Set(0, result);

        DimensionLayout Padding(int element, long size)
        {
            var layout = c.Fresh(size);
            if (byAttribute is not null)
            {
                c.AttributeIs(byAttribute, element, layout);
            }
            else
            {
                c.ElementIs(1, element, layout);
            }

            return layout;
        }
    }
}
