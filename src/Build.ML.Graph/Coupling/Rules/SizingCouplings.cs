using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Operators that join, cut or repeat.</summary>
[CouplingRules]
sealed class SizingCouplings : CouplingRuleTable
{
    public SizingCouplings()
    {
        Rule("Concat", Concat);
        Rule("Split", Split);
        Rule("Slice", Slice);
        Rule("Expand", Expand);
        Rule("Tile", Tile);
        Rule("ConstantOfShape", ConstantOfShape);
        Rule(["Shape", "Size"], c =>
        {
            c.Layouts(0); // reads sizes only, which may change
            c.Set(0, [.. c.OutputShape(0).Dimensions.Select(d => c.Locked(d, "counts dimensions"))]);
        });
    }

    /// <summary>The sum of the inputs along the axis; all else is one.</summary>
    private static void Concat(CouplingContext c)
    {
        var first = c.Layouts(0);
        var axis = ShapeFormulas.Axis(c.Node.Int("axis", 1), first.Count);
        var terms = new DimensionLayout[c.InputCount];
        for (var i = 0; i < terms.Length; i++)
        {
            var x = c.Layouts(i);
            terms[i] = x[axis];
            c.Parameters(i);
            for (var k = 0; k < x.Count; k++)
            {
                if (k != axis && i > 0)
                {
                    c.Unify(first[k], x[k]);
                }
            }
        }

        var result = first.ToArray();
        var isKnown = Array.TrueForAll(terms, t => t.IsKnown);
        result[axis] = isKnown ? CouplingContext.Sum(terms) : c.Locked(c.OutputShape(0)[axis], "joins it with a dimension of unknown size");
        if (!isKnown)
        {
            Array.ForEach(terms, t => c.Lock(t, "joins it with a dimension of unknown size"));
        }

        c.Set(0, result);
    }

    private static void Split(CouplingContext c)
    {
        var x = c.Layouts(0);
        var axis = ShapeFormulas.Axis(c.Node.Int("axis", 0), x.Count);
        var sizes = new long[c.Node.Outputs.Count];
        for (var i = 0; i < sizes.Length; i++)
        {
            sizes[i] = c.OutputShape(i)[axis].Size ?? -1;
        }

        if (!x[axis].IsKnown || sizes.Contains(-1))
        {
            c.Lock(x[axis], "divides it at run time");
            for (var i = 0; i < sizes.Length; i++)
            {
                c.Set(i, [.. x.Take(axis), c.Locked(c.OutputShape(i)[axis], "divides it at run time"), .. x.Skip(axis + 1)]);
            }

            return;
        }

        var parts = c.Cut(x[axis], sizes);
        c.SplitSizesAre(parts);
        for (var i = 0; i < parts.Length; i++)
        {
            c.Set(i, [.. x.Take(axis), parts[i], .. x.Skip(axis + 1)]);
        }
    }

    /// <summary>Steps of 1 with known ends cut the dimension in up to three; other steps choose by position.</summary>
    private static void Slice(CouplingContext c)
    {
        var x = c.Layouts(0);
        var after = c.OutputShape(0);
        var byAttribute = c.Node.Ints("starts") is { IsDefault: false };
        var starts = byAttribute ? [.. c.Node.Ints("starts")] : c.ValuesOf(1);
        var ends = byAttribute ? [.. c.Node.Ints("ends")] : c.ValuesOf(2);
        var steps = !byAttribute && c.HasInput(4) ? c.ValuesOf(4) : null;
        var hasAxes = byAttribute ? !c.Node.Ints("axes").IsDefault : c.HasInput(3);
        var axes = !hasAxes ? [.. Enumerable.Range(0, starts?.Length ?? ends?.Length ?? x.Count).Select(i => (long)i)]
            : (byAttribute ? [.. c.Node.Ints("axes")] : c.ValuesOf(3)) ?? throw new InvalidOperationException("the axes it slices are not known");
        var isStepKnown = byAttribute || !c.HasInput(4) || steps is not null;
        var result = x.ToArray();
        for (var i = 0; i < axes.Length; i++)
        {
            var axis = ShapeFormulas.Axis(axes[i], x.Count);
            var size = x[axis].Size;
            if (size == after[axis].Size && isStepKnown && (steps?[i] ?? 1) == 1 && size > 0 && starts is not null && ends is not null && ends[i] >= int.MaxValue)
            {
                continue; // all of it
            }

            if (starts is null || ends is null || !isStepKnown || (steps?[i] ?? 1) != 1 || size < 0)
            {
                result[axis] = c.Computed(x[axis], after[axis], "takes some of it by position");
                continue;
            }

            var start = Math.Clamp(starts[i] < 0 ? starts[i] + size : starts[i], 0, size);
            var end = Math.Clamp(ends[i] < 0 ? ends[i] + size : ends[i], start, size);
            if (start == end)
            {
                result[axis] = c.Computed(x[axis], after[axis], "takes nothing of it");
                continue;
            }

            long[] sizes = [.. new[] { start, end - start, size - end }.Where(s => s > 0)];
            result[axis] = c.Cut(x[axis], sizes)[start > 0 ? 1 : 0];
            if (byAttribute)
            {
                c.AttributeIs("starts", i, x[axis], start);
                c.AttributeIs("ends", i, x[axis], end);
            }
            else
            {
                c.ElementIs(1, i, x[axis], start);
                c.ElementIs(2, i, x[axis], end);
            }
        }

        c.Set(0, result);
    }

    /// <summary>Broadcasts to a shape; a dimension of size 1 becomes an axis of its own: the repeats of grouped-query attention.</summary>
    private static void Expand(CouplingContext c)
    {
        var x = c.Layouts(0);
        var after = c.OutputShape(0);
        var target = c.DataOf(1);
        var result = new DimensionLayout[after.Rank];
        c.Parameters(0);
        for (var i = 0; i < result.Length; i++)
        {
            var at = i - result.Length + x.Count;
            var isOwn = at >= 0 && x[at].Size != 1;
            result[i] = isOwn ? x[at] : c.Fresh(after[i]);
            var element = target.IsDefault ? -1 : i - result.Length + target.Length;
            if (element >= 0 && target[element].Value is > 1)
            {
                c.ElementIs(1, element, result[i]);
            }

            if (!isOwn && after[i].IsKnown)
            {
                c.Mark(result[i], AxisMark.QueryHeads);
            }
        }

        c.Set(0, result);
    }

    /// <summary>The whole dimension again and again: (repeats)(dimension).</summary>
    private static void Tile(CouplingContext c)
    {
        var x = c.Layouts(0);
        var after = c.OutputShape(0);
        var repeats = c.InputCount == 2 ? c.DataOf(1) : throw new InvalidOperationException("repeats in the form of version 1");
        var result = new DimensionLayout[x.Count];
        c.Parameters(0);
        for (var i = 0; i < result.Length; i++)
        {
            if (repeats.IsDefault || repeats[i].Value is not { } count)
            {
                result[i] = c.Computed(x[i], after[i], "repeats it as often as is known at run time");
                continue;
            }

            var repeat = c.Fresh(count);
            result[i] = CouplingContext.Product(repeat, x[i]);
            if (count > 1)
            {
                c.ElementIs(1, i, repeat);
                c.Mark(repeat, AxisMark.QueryHeads);
            }
        }

        c.Set(0, result);
    }

    private static void ConstantOfShape(CouplingContext c)
    {
        var after = c.OutputShape(0);
        var data = c.DataOf(0);
        var result = after.Dimensions.Select(c.Fresh).ToArray();
        for (var i = 0; i < result.Length && !data.IsDefault; i++)
        {
            if (data[i].Value is > 1)
            {
                c.ElementIs(0, i, result[i]);
            }
        }

        c.Set(0, result);
    }
}
