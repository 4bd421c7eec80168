using Build.ML.Graph;

namespace Build.ML.Quantization.Folding;

/// <summary>
/// Which channel each element of a value belongs to: labels over its last dimensions, to be broadcast over all others. Label −1 stands for elements that no
/// scale touches.
/// </summary>
/// <param name="Sizes">Sizes of the last dimensions; 1 where the label does not depend on the dimension.</param>
/// <param name="Labels">Row-major, as many as the product of the sizes.</param>
internal sealed record ChannelGrid(int[] Sizes, int[] Labels)
{
    /// <summary>Each channel of the last dimension, or of the one that has <paramref name="inner"/> dimensions after it, for itself.</summary>
    public static ChannelGrid Channels(int count, int inner = 0) => new([count, .. Enumerable.Repeat(1, inner)], [.. Enumerable.Range(0, count)]);

    /// <summary>Number of dimensions.</summary>
    public int Rank => Sizes.Length;

    /// <summary>Whether any element is touched.</summary>
    public bool Touches => Labels.AsSpan().IndexOfAnyExcept(-1) >= 0;

    /// <summary>Size of the dimension that has <paramref name="inner"/> dimensions after it, 1 beyond the first.</summary>
    public int SizeFromEnd(int inner) => inner < Rank ? Sizes[Rank - 1 - inner] : 1;

    /// <summary>The labels repeated to these sizes, which numpy's broadcasting allows; null where it does not.</summary>
    public ChannelGrid? BroadcastTo(ReadOnlySpan<int> sizes)
    {
        if (sizes.Length < Rank)
        {
            return Trimmed() is { } trimmed && trimmed.Rank < Rank ? trimmed.BroadcastTo(sizes) : null;
        }

        var product = 1;
        for (var i = 0; i < sizes.Length; i++)
        {
            var own = SizeFromEnd(sizes.Length - 1 - i);
            if (own != 1 && own != sizes[i])
            {
                return null;
            }

            product *= sizes[i];
        }

        var labels = new int[product];
        for (var i = 0; i < product; i++)
        {
            labels[i] = At(i, sizes);
        }

        return new(sizes.ToArray(), labels);
    }

    /// <summary>The label of element <paramref name="index"/> of a value whose last dimensions have these sizes.</summary>
    public int At(int index, ReadOnlySpan<int> sizes)
    {
        var (mine, stride) = (0, 1);
        for (var inner = 0; inner < sizes.Length; inner++)
        {
            var size = sizes[sizes.Length - 1 - inner];
            var own = SizeFromEnd(inner);
            mine += own == 1 ? 0 : index % size * stride;
            stride *= own;
            index /= size;
        }

        return Labels[mine];
    }

    /// <summary>Without leading dimensions of size 1, and with size 1 where labels repeat along a dimension.</summary>
    public ChannelGrid Trimmed()
    {
        var grid = this;
        for (var axis = 0; axis < grid.Rank; axis++)
        {
            grid = grid.CollapsedAlong(axis) ?? grid;
        }

        var leading = 0;
        while (leading < grid.Rank - 1 && grid.Sizes[leading] == 1)
        {
            leading++;
        }

        return leading == 0 ? grid : new(grid.Sizes[leading..], grid.Labels);
    }

    /// <summary>The same elements under other sizes of the same product.</summary>
    public ChannelGrid Reshaped(int[] sizes) => new ChannelGrid(sizes, Labels).Trimmed();

    /// <summary>
    /// The grid of what was broadcast to this value: where that has size 1 and this varies, the labels that meet must be one channel.
    /// </summary>
    /// <param name="shape">Shape of what was broadcast.</param>
    /// <param name="ties">Takes the labels that meet.</param>
    /// <returns>Null where an unknown dimension would have to be known.</returns>
    public ChannelGrid? Unbroadcast(Shape? shape, ChannelTies ties)
    {
        if (shape is null)
        {
            return null;
        }

        var grid = this;
        for (var inner = 0; inner < Rank; inner++)
        {
            if (grid.SizeFromEnd(inner) == 1)
            {
                continue;
            }

            long? size = inner < shape.Rank ? shape[shape.Rank - 1 - inner].Size : 1;
            if (size is null || (size != 1 && size != grid.SizeFromEnd(inner)))
            {
                return null;
            }

            if (size == 1)
            {
                grid = grid.TiedAlong(Rank - 1 - inner, ties);
            }
        }

        return grid.Trimmed();
    }

    /// <summary>The grid without variation along an axis: the labels along it become one channel.</summary>
    public ChannelGrid TiedAlong(int axis, ChannelTies ties)
    {
        var (outer, size, inner) = Split(axis);
        var labels = new int[outer * inner];
        for (var o = 0; o < outer; o++)
        {
            for (var i = 0; i < inner; i++)
            {
                var first = Labels[o * size * inner + i];
                for (var s = 1; s < size; s++)
                {
                    ties.Join(first, Labels[(o * size + s) * inner + i]);
                }

                labels[o * inner + i] = first;
            }
        }

        return new([.. Sizes[..axis], 1, .. Sizes[(axis + 1)..]], labels);
    }

    /// <summary>Whether two grids say the same of the same dimensions.</summary>
    public bool Matches(ChannelGrid other) => Sizes.AsSpan().SequenceEqual(other.Sizes) && Labels.AsSpan().SequenceEqual(other.Labels);

    private (int Outer, int Size, int Inner) Split(int axis)
    {
        var (outer, inner) = (1, 1);
        for (var i = 0; i < axis; i++)
        {
            outer *= Sizes[i];
        }

        for (var i = axis + 1; i < Rank; i++)
        {
            inner *= Sizes[i];
        }

        return (outer, Sizes[axis], inner);
    }

    private ChannelGrid? CollapsedAlong(int axis)
    {
        if (Sizes[axis] == 1)
        {
            return null;
        }

        var (outer, size, inner) = Split(axis);
        for (var o = 0; o < outer; o++)
        {
            var block = Labels.AsSpan(o * size * inner, size * inner);
            for (var s = 1; s < size; s++)
            {
                if (!block.Slice(s * inner, inner).SequenceEqual(block[..inner]))
                {
                    return null;
                }
            }
        }

        return TiedAlong(axis, new ChannelTies(0));
    }
}
