using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Slice, by attributes before version 10 and by inputs since.</summary>
[ShapeRules]
sealed class SliceShapes : ShapeRuleTable
{
    public SliceShapes()
    {
        Rule("Slice", Slice);
        Rule("DynamicSlice", Slice);
    }

    private static void Slice(ShapeContext c)
    {
        var byAttribute = c.Ints("starts") is not null;
        var starts = byAttribute ? Symbolic(c.Ints("starts")) : c.DataOf(1);
        var ends = byAttribute ? Symbolic(c.Ints("ends")) : c.DataOf(2);
        var axes = byAttribute ? c.Ints("axes")?.ToArray() : c.HasInput(3) ? c.ValuesOf(3) : null;
        var axesUnknown = !byAttribute && c.HasInput(3) && axes is null;
        var steps = !byAttribute && c.HasInput(4) ? c.ValuesOf(4) : null;
        var stepsUnknown = !byAttribute && c.HasInput(4) && steps is null;
        if (c.ShapeOf(0) is not { } x || axesUnknown)
        {
            c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } s ? ShapeFormulas.OfRank(s.Rank) : null);
            return;
        }

        var count = axes?.Length ?? (starts.IsDefault ? ends.IsDefault ? x.Rank : ends.Length : starts.Length);
        var dimensions = x.Dimensions.ToArray();
        for (var i = 0; i < count; i++)
        {
            var axis = axes is null ? i : ShapeFormulas.Axis(axes[i], x.Rank);
            dimensions[axis] = starts.IsDefault || ends.IsDefault || stepsUnknown
                ? Dimension.Unknown : Size(x[axis], starts[i], ends[i], steps?[i] ?? 1);
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
        if (x.Rank == 1 && c.DataOf(0) is { IsDefault: false } data && count == 1 && !starts.IsDefault && !ends.IsDefault && !stepsUnknown
            && starts[0].Value is { } first && ends[0].Value is { } last)
        {
            c.SetData(0, Elements(data, first, last, steps?[0] ?? 1));
        }
    }

    /// <summary>Starts and ends below 0 count from the end; then both are clamped into the dimension.</summary>
    private static (long Start, long End) Clamp(long start, long end, long step, long size)
    {
        start = start < 0 ? start + size : start;
        end = end < 0 ? Math.Max(end, -size - 1) + size : end;
        return step > 0
            ? (Math.Clamp(start, 0, size), Math.Clamp(end, 0, size))
            : (Math.Clamp(start, 0, Math.Max(0, size - 1)), Math.Clamp(end, -1, size));
    }

    private static Dimension Size(Dimension dimension, SymbolicInteger start, SymbolicInteger end, long step)
    {
        if (step == 0)
        {
            throw new ArgumentException("a step of 0");
        }

        if (start.Value is not { } first || (end.Value is null && end.Symbol is null))
        {
            return Dimension.Unknown;
        }

        if (dimension.Size is { } size && end.Value is { } last)
        {
            var (from, to) = Clamp(first, last, step, size);
            return Math.Max(0, step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step);
        }

        if (step != 1 || dimension.IsKnown)
        {
            return Dimension.Unknown;
        }

        SymbolicInteger whole = dimension;
        return (first, end.Value) switch
        {
            (0, >= int.MaxValue) => dimension, // "to the end"
            ( > 0, >= int.MaxValue) => (whole - first).ToDimension(),
            ( < 0, >= int.MaxValue) => Dimension.Unknown, // the last few, fewer where there are not as many
            ( >= 0, < 0) => (whole + end - first).ToDimension(),
            (0, null) when end == whole => dimension,
            _ => Dimension.Unknown,
        };
    }

    private static ImmutableArray<SymbolicInteger> Elements(ImmutableArray<SymbolicInteger> data, long start, long end, long step)
    {
        var elements = ImmutableArray.CreateBuilder<SymbolicInteger>();
        var (from, to) = Clamp(start, end, step, data.Length);
        for (var i = from; step > 0 ? i < to : i > to; i += step)
        {
            elements.Add(data[(int)i]);
        }

        return elements.ToImmutable();
    }

    private static ImmutableArray<SymbolicInteger> Symbolic(ImmutableArray<long>? values) =>
        values is { } known ? [.. known.Select(v => new SymbolicInteger(v))] : default;
}
