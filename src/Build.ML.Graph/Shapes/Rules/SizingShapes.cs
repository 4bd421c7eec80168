using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators that repeat, pad, cut, join or rescale.</summary>
[ShapeRules]
sealed class SizingShapes : ShapeRuleTable
{
    public SizingShapes()
    {
        Rule("Expand", Expand);
        Rule("Tile", Tile);
        Rule("Concat", Concat);
        Rule("Split", Split);
        Rule("Pad", Pad);
        Rule("Resize", Resize);
        Rule("Upsample", c => Scale(c, c.Floats("scales") ?? Scales(c, 1)));
        Rule("CenterCropPad", CenterCropPad);
        Rule("QLinearConcat", c => c.Set(0, c.ElementOf(1), null), Microsoft);
    }

    private static void Expand(ShapeContext c)
    {
        var target = c.DataOf(1);
        var shape = target.IsDefault
            ? c.ShapeOf(0) is { } x && c.ShapeOf(1)?[0].Size is { } rank and <= 64 ? ShapeFormulas.OfRank(Math.Max(x.Rank, (int)rank)) : null
            : ShapeFormulas.Broadcast(c.ShapeOf(0), target.ToShape());
        c.Set(0, c.ElementOf(0), shape);
        if (shape is { Rank: 1 } && shape[0].Size is { } length and <= 64 && c.DataOf(0) is { IsDefault: false, Length: 1 } data)
        {
            c.SetData(0, [.. Enumerable.Repeat(data[0], (int)length)]);
        }
    }

    private static void Tile(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        if (c.InputCount == 3)
        {
            // Version 1: tiles and axis as inputs.
            c.Set(0, c.ElementOf(0), c.ValuesOf(2) is [var axis] && !c.DataOf(1).IsDefault
                ? x.With((int)axis, ((SymbolicInteger)x[(int)axis] * c.DataOf(1)[0]).ToDimension()) : ShapeFormulas.OfRank(x.Rank));
            return;
        }

        var repeats = c.DataOf(1);
        c.Set(0, c.ElementOf(0), repeats.IsDefault || repeats.Length != x.Rank
            ? ShapeFormulas.OfRank(x.Rank) : new Shape(x.Dimensions.Select((d, i) => ((SymbolicInteger)d * repeats[i]).ToDimension())));
    }

    private static void Concat(ShapeContext c)
    {
        Shape? shape = null;
        SymbolicInteger total = 0;
        var axis = 0;
        for (var i = 0; i < c.InputCount; i++)
        {
            if (c.ShapeOf(i) is not { } x)
            {
                c.Set(0, c.ElementOf(0), shape is null ? null : ShapeFormulas.OfRank(shape.Rank));
                return;
            }

            axis = ShapeFormulas.Axis(c.Int("axis", 1), x.Rank);
            total += x[axis];
            if (shape is not null && (x.Rank != shape.Rank
                || x.Dimensions.Where((d, k) => k != axis && d.IsKnown && shape[k].IsKnown && d != shape[k]).Any()))
            {
                c.Fail($"{shape} and {x} must agree in all but dimension {axis}");
                return;
            }

            shape = shape is null ? x : new Shape(x.Dimensions.Select((d, k) => d.IsKnown || shape[k] == default ? d : shape[k]));
        }

        c.Set(0, c.ElementOf(0), shape?.With(axis, total.ToDimension()));
        if (shape?.Rank == 1 && Enumerable.Range(0, c.InputCount).All(i => !c.DataOf(i).IsDefault || c.ShapeOf(i)![0].Size is <= 8))
        {
            c.SetData(0, [.. Enumerable.Range(0, c.InputCount).SelectMany(i =>
                c.DataOf(i) is { IsDefault: false } data ? data : [.. new SymbolicInteger[(int)c.ShapeOf(i)![0].Size!.Value]])]);
        }
    }

    private static void Split(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            for (var i = 0; i < c.OutputCount; i++)
            {
                c.Set(i, c.ElementOf(0), null);
            }

            return;
        }

        var axis = ShapeFormulas.Axis(c.Int("axis", 0), x.Rank);
        var sizes = c.HasInput(1) ? c.DataOf(1) : c.Ints("split") is { } given ? [.. given.Select(s => new SymbolicInteger(s))] : default;
        var count = c.Int("num_outputs", c.OutputCount);
        SymbolicInteger total = x[axis];
        var even = (total + (count - 1)) / count;
        for (var i = 0; i < c.OutputCount; i++)
        {
            // An uneven split by num_outputs makes the last part smaller.
            var size = !sizes.IsDefault ? sizes[i]
                : c.HasInput(1) ? SymbolicInteger.Unknown
                : total.IsKnown && i == count - 1 ? total - even * (count - 1)
                : total.IsKnown ? even : total / count;
            c.Set(i, c.ElementOf(0), x.With(axis, size.ToDimension()));
        }

        if (x.Rank == 1 && c.DataOf(0) is { IsDefault: false } data)
        {
            for (int i = 0, at = 0; i < c.OutputCount && (sizes.IsDefault ? even : sizes[i]).Value is { } length && at + length <= data.Length; i++)
            {
                c.SetData(i, data.Slice(at, (int)length));
                at += (int)length;
            }
        }
    }

    private static void Pad(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        // "paddings" in version 1, "pads" to version 10, then an input.
        var pads = (c.Ints("pads") ?? c.Ints("paddings")) is { } given ? [.. given.Select(p => new SymbolicInteger(p))] : c.DataOf(1);
        var axes = c.HasInput(3) ? c.ValuesOf(3) : [.. Enumerable.Range(0, x.Rank).Select(i => (long)i)];
        if (pads.IsDefault || axes is null)
        {
            c.Set(0, c.ElementOf(0), ShapeFormulas.OfRank(x.Rank));
            return;
        }

        var dimensions = x.Dimensions.ToArray();
        for (var i = 0; i < axes.Length; i++)
        {
            var axis = ShapeFormulas.Axis(axes[i], x.Rank);
            dimensions[axis] = (x[axis] + pads[i] + pads[i + axes.Length]).ToDimension();
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }

    private static void Resize(ShapeContext c)
    {
        if (c.Opset == 10)
        {
            Scale(c, Scales(c, 1)); // X, scales
            return;
        }

        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        // Exporters give an empty tensor where scales or sizes are not meant.
        if (!c.HasInput(3) || c.ShapeOf(3) is { Rank: 1 } given && given[0].Size == 0)
        {
            Scale(c, Scales(c, 2));
            return;
        }

        var axes = c.Ints("axes");
        var sizes = c.DataOf(3);
        if (sizes.IsDefault || c.String("keep_aspect_ratio_policy", "stretch") != "stretch")
        {
            c.Set(0, c.ElementOf(0), ShapeFormulas.OfRank(x.Rank));
            return;
        }

        var dimensions = x.Dimensions.ToArray();
        for (var i = 0; i < sizes.Length; i++)
        {
            dimensions[axes is { } a ? ShapeFormulas.Axis(a[i], x.Rank) : i] = sizes[i].ToDimension();
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }

    /// <summary>size' = ⌊size · scale⌋</summary>
    private static void Scale(ShapeContext c, ImmutableArray<float>? scales)
    {
        if (c.ShapeOf(0) is not { } x || scales is not { } factors || factors.Length == 0)
        {
            c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } s ? ShapeFormulas.OfRank(s.Rank) : null);
            return;
        }

        var dimensions = x.Dimensions.ToArray();
        for (var i = 0; i < factors.Length; i++)
        {
            var axis = c.Ints("axes") is { } axes ? ShapeFormulas.Axis(axes[i], x.Rank) : i;
            dimensions[axis] = x[axis].Size is { } size ? (long)Math.Floor(size * factors[i])
                : factors[i] == MathF.Floor(factors[i]) ? ((SymbolicInteger)x[axis] * (long)factors[i]).ToDimension() : Dimension.Unknown;
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }

    private static ImmutableArray<float>? Scales(ShapeContext c, int input) =>
        c.ConstantOf(input) is { Type: DataType.Float, Count: <= 16 } tensor ? [.. tensor.ToArray<float>()] : null;

    private static void CenterCropPad(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        var target = c.DataOf(1);
        var dimensions = x.Dimensions.ToArray();
        for (var i = 0; i < (target.IsDefault ? x.Rank : target.Length); i++)
        {
            dimensions[c.Ints("axes") is { } axes ? ShapeFormulas.Axis(axes[i], x.Rank) : i] = target.IsDefault ? Dimension.Unknown : target[i].ToDimension();
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }
}
