using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes;

/// <summary>Shape arithmetic that several rules share.</summary>
public static class ShapeFormulas
{
    /// <summary>
    /// Multidirectional broadcast of two shapes: aligned at the last dimension, sizes equal or one of them 1. Null when either is unknown or they do not fit.
    /// </summary>
    public static Shape? Broadcast(Shape? a, Shape? b)
    {
        if (a is null || b is null)
        {
            return null;
        }

        var rank = Math.Max(a.Rank, b.Rank);
        var dimensions = new Dimension[rank];
        for (var i = 1; i <= rank; i++)
        {
            var x = i <= a.Rank ? a[-i] : new Dimension(1);
            var y = i <= b.Rank ? b[-i] : new Dimension(1);
            if (x.Size == 1 || x == y)
            {
                dimensions[^i] = y;
            }
            else if (y.Size == 1)
            {
                dimensions[^i] = x;
            }
            else if (x.IsKnown && y.IsKnown)
            {
                return null;
            }
            else
            {
                // A known size other than 1 decides against a symbol; two symbols may each turn out to be 1.
                dimensions[^i] = x.IsKnown ? x : y.IsKnown ? y : Dimension.Unknown;
            }
        }

        return new Shape(dimensions);
    }

    /// <summary>Broadcast of the shapes of inputs <paramref name="first"/> and following; fails the node when they do not fit.</summary>
    public static Shape? BroadcastInputs(this ShapeContext c, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(c);
        var shape = c.ShapeOf(first);
        for (var i = first + 1; i < first + count && shape is not null; i++)
        {
            var other = c.ShapeOf(i);
            var both = Broadcast(shape, other);
            if (both is null && other is not null)
            {
                c.Fail($"shapes {shape} and {other} cannot be broadcast: aligned at the end, sizes must be equal or 1");
            }

            shape = both;
        }

        return shape;
    }

    /// <summary>The axis counted from the start.</summary>
    /// <exception cref="ArgumentException">Not within the rank.</exception>
    public static int Axis(long axis, int rank) => axis >= -rank && axis < rank
        ? (int)(axis < 0 ? axis + rank : axis)
        : throw new ArgumentException($"axis {axis} does not lie in a tensor of rank {rank}");

    /// <summary>Axes counted from the start, as a set.</summary>
    public static bool[] AxisMask(IEnumerable<long> axes, int rank)
    {
        ArgumentNullException.ThrowIfNull(axes);
        var mask = new bool[rank];
        foreach (var axis in axes)
        {
            mask[Axis(axis, rank)] = true;
        }

        return mask;
    }

    /// <summary>The shape with one dimension replaced.</summary>
    public static Shape With(this Shape shape, int axis, Dimension dimension)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return new Shape(shape.Dimensions.SetItem(Axis(axis, shape.Rank), dimension));
    }

    /// <summary>A shape of that rank with nothing known of its dimensions.</summary>
    public static Shape OfRank(int rank) => new(new Dimension[rank]);

    /// <summary>Product of dimensions.</summary>
    public static SymbolicInteger Product(ReadOnlySpan<Dimension> dimensions)
    {
        SymbolicInteger product = 1;
        foreach (var dimension in dimensions)
        {
            product *= dimension;
        }

        return product;
    }

    /// <summary>A shape from computed dimensions.</summary>
    public static Shape ToShape(this ImmutableArray<SymbolicInteger> dimensions) => new(dimensions.Select(d => d.ToDimension()));

    /// <summary>
    /// Size of one spatial dimension after a sliding window: ⌊(size + pads − ((kernel − 1)·dilation + 1)) / stride⌋ + 1, or ⌈…⌉ with ceil mode, where a
    /// last window that would start in the padding after the end does not count.
    /// </summary>
    public static Dimension Window(Dimension size, long kernel, long stride, long dilation, long padBegin, long padEnd, bool ceil = false)
    {
        var extent = (SymbolicInteger)size + (checked(padBegin + padEnd) - (checked((kernel - 1) * dilation) + 1));
        if (extent.Value < 0)
        {
            return Dimension.Unknown;
        }

        var count = (ceil ? extent + (stride - 1) : extent) / stride + 1;
        return ceil && count.Value is { } known && size.Size is { } total && checked((known - 1) * stride) >= total + padBegin
            ? new Dimension(known - 1)
            : count.ToDimension();
    }

    /// <summary>Size of one spatial dimension under <c>auto_pad</c> SAME_UPPER or SAME_LOWER: ⌈size / stride⌉.</summary>
    public static Dimension Same(Dimension size, long stride) => (((SymbolicInteger)size + (stride - 1)) / stride).ToDimension();
}
