using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators that give the same elements another shape.</summary>
[ShapeRules]
sealed class ReshapingShapes : ShapeRuleTable
{
    public ReshapingShapes()
    {
        Rule("Reshape", Reshape);
        Rule("Flatten", Flatten);
        Rule("Squeeze", Squeeze);
        Rule("Unsqueeze", Unsqueeze);
        Rule("Transpose", Transpose);
        Rule("DepthToSpace", c => Blocks(c, toSpace: true));
        Rule("SpaceToDepth", c => Blocks(c, toSpace: false));
    }

    private static void Reshape(ShapeContext c)
    {
        var element = c.ElementOf(0);
        var target = c.Opset < 5 && c.Ints("shape") is { } given
            ? [.. given.Select(v => new SymbolicInteger(v))] : c.DataOf(1);
        if (target.IsDefault)
        {
            c.Set(0, element, c.ShapeOf(1)?[0].Size is { } rank and <= 64 ? ShapeFormulas.OfRank((int)rank) : null);
            return;
        }

        var x = c.ShapeOf(0);
        var copiesZero = c.Int("allowzero", 0) == 0;
        var dimensions = new SymbolicInteger[target.Length];
        var inferred = -1;
        for (var i = 0; i < dimensions.Length; i++)
        {
            if (target[i].Value == -1)
            {
                inferred = inferred < 0 ? i : throw new ArgumentException("more than one −1 in the new shape");
            }
            else if (target[i].Value == 0 && copiesZero)
            {
                dimensions[i] = x is null ? SymbolicInteger.Unknown : x[i < x.Rank ? i : throw new ArgumentException($"0 at position {i} copies from a tensor {x}")];
            }
            else
            {
                dimensions[i] = target[i];
            }
        }

        if (x is not null)
        {
            Complete(c, x, dimensions, inferred);
        }

        c.Set(0, element, dimensions.ToImmutableArray().ToShape());
        if (dimensions.Length <= 1)
        {
            c.SetData(0, c.DataOf(0));
        }
    }

    /// <summary>The dimension at −1 is the element count over the product of the others; symbols on both sides cancel out.</summary>
    private static void Complete(ShapeContext c, Shape x, SymbolicInteger[] dimensions, int inferred)
    {
        long numerator = 1, denominator = 1;
        var symbols = new List<SymbolicInteger>();
        var unknown = false;
        foreach (SymbolicInteger d in x.Dimensions)
        {
            Multiply(d, ref numerator, symbols, ref unknown);
        }

        for (var i = 0; i < dimensions.Length && !unknown; i++)
        {
            if (i == inferred || symbols.Remove(dimensions[i]))
            {
                continue;
            }

            unknown = dimensions[i].Value is null;
            denominator = checked(denominator * (dimensions[i].Value ?? 1));
        }

        if (unknown)
        {
            return;
        }

        if (inferred >= 0 && denominator > 0)
        {
            SymbolicInteger rest = 1;
            symbols.ForEach(s => rest *= s);
            if (numerator % denominator == 0)
            {
                dimensions[inferred] = rest * (numerator / denominator);
                return;
            }

            if (symbols.Count > 0)
            {
                dimensions[inferred] = rest * numerator / denominator;
                return;
            }
        }

        if (symbols.Count == 0 && numerator != denominator && (inferred < 0 || denominator == 0 || numerator % denominator != 0))
        {
            c.Fail($"{x} has {numerator} elements, which [{string.Join(',', dimensions)}] cannot hold");
        }
    }

    private static void Multiply(SymbolicInteger d, ref long known, List<SymbolicInteger> symbols, ref bool unknown)
    {
        if (d.Value is { } value)
        {
            known = checked(known * value);
        }
        else if (d.Symbol is not null)
        {
            symbols.Add(d);
        }
        else
        {
            unknown = true;
        }
    }

    private static void Flatten(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), ShapeFormulas.OfRank(2));
            return;
        }

        var axis = c.Int("axis", 1);
        var at = axis == x.Rank ? x.Rank : ShapeFormulas.Axis(axis, x.Rank);
        c.Set(0, c.ElementOf(0), new Shape(
            ShapeFormulas.Product(x.Dimensions.AsSpan(0, at)).ToDimension(),
            ShapeFormulas.Product(x.Dimensions.AsSpan(at, x.Rank - at)).ToDimension()));
    }

    private static void Squeeze(ShapeContext c)
    {
        c.SetData(0, c.DataOf(0));
        IReadOnlyList<long>? axes = c.HasInput(1) ? c.ValuesOf(1) : c.Ints("axes") is { } given ? given : [];
        if (c.ShapeOf(0) is not { } x || axes is null)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        if (axes.Count == 0)
        {
            // Every dimension of size 1 goes: the rank is known only when all sizes are.
            c.Set(0, c.ElementOf(0), x.Dimensions.All(d => d.IsKnown) ? new Shape(x.Dimensions.Where(d => d.Size != 1)) : null);
            return;
        }

        var mask = ShapeFormulas.AxisMask(axes, x.Rank);
        if (x.Dimensions.Where((d, i) => mask[i] && d.IsKnown && d.Size != 1).Any())
        {
            c.Fail($"axes [{string.Join(',', axes)}] of {x} must have size 1");
            return;
        }

        c.Set(0, c.ElementOf(0), new Shape(x.Dimensions.Where((_, i) => !mask[i])));
    }

    private static void Unsqueeze(ShapeContext c)
    {
        IReadOnlyList<long>? axes = c.HasInput(1) ? c.ValuesOf(1) : c.Ints("axes") is { } given ? given : null;
        if (c.ShapeOf(0) is not { } x || axes is null)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        var mask = ShapeFormulas.AxisMask(axes, x.Rank + axes.Count);
        var next = 0;
        var dimensions = new Dimension[mask.Length];
        for (var i = 0; i < mask.Length; i++)
        {
            dimensions[i] = mask[i] ? 1 : x[next < x.Rank ? next++ : throw new ArgumentException("an axis is given twice")];
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
        if (dimensions.Length <= 1)
        {
            c.SetData(0, c.DataOf(0));
        }
    }

    private static void Transpose(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0), c.Ints("perm") is { } p ? ShapeFormulas.OfRank(p.Length) : null);
            return;
        }

        var perm = c.Ints("perm") ?? [.. Enumerable.Range(0, x.Rank).Select(i => (long)x.Rank - 1 - i)];
        if (perm.Length != x.Rank)
        {
            c.Fail($"perm [{string.Join(',', perm)}] must have one entry for each dimension of {x}");
            return;
        }

        c.Set(0, c.ElementOf(0), new Shape(perm.Select(p => x[ShapeFormulas.Axis(p, x.Rank)])));
    }

    private static void Blocks(ShapeContext c, bool toSpace)
    {
        if (c.ShapeOf(0) is not { Rank: 4 } x)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        var block = c.Int("blocksize", 1);
        SymbolicInteger channels = x[1], height = x[2], width = x[3];
        (channels, height, width) = toSpace
            ? (channels / checked(block * block), height * block, width * block)
            : (channels * checked(block * block), height / block, width / block);
        c.Set(0, c.ElementOf(0), new Shape(x[0], channels.ToDimension(), height.ToDimension(), width.ToDimension()));
    }
}
