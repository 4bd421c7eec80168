using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding.Rules;

/// <summary>Operators that move or repeat elements: scales move with them; elements repeated share one.</summary>
[FoldRules]
internal sealed class ShapeFolding : FoldRuleTable
{
    /// <summary>Names the rules.</summary>
    public ShapeFolding()
    {
        Rule(["Reshape", "Flatten", "Squeeze", "Unsqueeze"], Reshape);
        Rule("Transpose", Transpose);
        Rule(["Tile", "Expand"], Repeat);
        Rule("Split", Split);
        Rule("Concat", Concatenate);
    }

    private static string? Reshape(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        var x = node.Inputs[0]!;
        return x.Shape is null || y.Shape is null ? $"the shape of '{x.Name}' is not known"
            : ReshapedGrid.Of(grid, y.Shape, x.Shape) is { } inner ? walk.Into(x, inner, node)
            : $"what {node.DisplayName} makes of the channels is not known: {x.Shape} to {y.Shape}";
    }

    private static string? Transpose(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        var rank = node.Inputs[0]!.Shape?.Rank ?? y.Shape?.Rank ?? (node.Ints("perm") is { IsDefault: false } p ? p.Length : 0);
        if (rank < grid.Rank)
        {
            return $"the rank of '{y.Name}' is not known";
        }

        var perm = node.Ints("perm");
        perm = perm.IsDefault ? [.. Enumerable.Range(0, rank).Reverse().Select(i => (long)i)] : perm;
        var to = new int[rank];
        var from = new int[rank];
        for (var i = 0; i < rank; i++)
        {
            to[i] = grid.SizeFromEnd(rank - 1 - i);
            from[(int)perm[i]] = to[i];
        }

        var labels = new int[grid.Labels.Length];
        var index = new int[rank];
        foreach (var label in grid.Labels)
        {
            var place = 0;
            for (var i = 0; i < rank; i++)
            {
                place = place * from[i] + index[perm.IndexOf((long)i)];
            }

            labels[place] = label;
            for (var i = rank - 1; i >= 0 && ++index[i] == to[i]; i--)
            {
                index[i] = 0;
            }
        }

        return walk.Into(node.Inputs[0], new ChannelGrid(from, labels).Trimmed(), node);
    }

    private static string? Repeat(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        var x = node.Inputs[0]!;
        if (x.Shape is null || y.Shape is null)
        {
            return $"the shape of '{x.Name}' is not known";
        }

        for (var inner = 0; inner < grid.Rank; inner++)
        {
            var size = grid.SizeFromEnd(inner);
            long? before = inner < x.Shape.Rank ? x.Shape[x.Shape.Rank - 1 - inner].Size : 1;
            if (size == 1 || before == size)
            {
                continue;
            }

            if (before is null || size % before != 0)
            {
                return $"how often {node.DisplayName} repeats is not known";
            }

            // [r·n] as [r, n]: what the r repeats call their elements is one channel.
            var axis = grid.Rank - 1 - inner;
            var sizes = grid.Sizes;
            grid = new ChannelGrid([.. sizes[..axis], size / (int)before, (int)before, .. sizes[(axis + 1)..]], grid.Labels).TiedAlong(axis, walk.Ties);
            grid = new ChannelGrid([.. sizes[..axis], (int)before, .. sizes[(axis + 1)..]], grid.Labels);
        }

        return walk.Into(x, grid.Trimmed(), node);
    }

    // The other parts keep what they have; what reads them is not touched.
    private static string? Split(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        var x = node.Inputs[0]!;
        if (x.Shape is null || InnerOf(node, x.Shape) is not { } inner)
        {
            return $"the shape of '{x.Name}' is not known";
        }

        if (grid.SizeFromEnd(inner) == 1)
        {
            return $"{node.DisplayName} splits another dimension than the channels";
        }

        var first = 0L;
        for (var i = 0; i < y.OutputIndex; i++)
        {
            if (node.Outputs[i].Shape is not { } shape || shape[shape.Rank - 1 - inner].Size is not { } size)
            {
                return $"the sizes of {node.DisplayName} are not known";
            }

            first += size;
        }

        if (x.Shape[x.Shape.Rank - 1 - inner].Size is not { } total)
        {
            return $"the shape of '{x.Name}' is not known";
        }

        int[] sizes = [.. grid.Sizes];
        var axis = grid.Rank - 1 - inner;
        sizes[axis] = (int)total;
        return SplitInto(walk, node, x, Placed(grid, sizes, axis, (int)first));
    }

    // Other outputs are other readers' business: only that this node alone reads the input matters.
    private static string? SplitInto(FoldWalk walk, Node node, Value x, ChannelGrid grid) => walk.Into(x, grid, node);

    private static string? Concatenate(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        if (y.Shape is null || InnerOf(node, y.Shape) is not { } inner)
        {
            return $"the shape of '{y.Name}' is not known";
        }

        if (grid.SizeFromEnd(inner) == 1)
        {
            return $"{node.DisplayName} joins another dimension than the channels";
        }

        var (axis, first) = (grid.Rank - 1 - inner, 0);
        foreach (var x in node.Inputs)
        {
            if (x?.Shape is not { } shape || shape[shape.Rank - 1 - inner].Size is not { } size)
            {
                return $"the sizes that {node.DisplayName} joins are not known";
            }

            if (walk.Into(x, Part(grid, axis, first, (int)size), node) is { } reason)
            {
                return reason;
            }

            first += (int)size;
        }

        return null;
    }

    private static ChannelGrid Placed(ChannelGrid grid, int[] sizes, int axis, int first)
    {
        var inner = sizes[(axis + 1)..].Aggregate(1, (a, b) => a * b);
        var outer = sizes[..axis].Aggregate(1, (a, b) => a * b);
        var labels = new int[outer * sizes[axis] * inner];
        Array.Fill(labels, -1);
        var length = grid.Sizes[axis] * inner;
        for (var o = 0; o < outer; o++)
        {
            grid.Labels.AsSpan(o * length, length).CopyTo(labels.AsSpan((o * sizes[axis] + first) * inner));
        }

        return new(sizes, labels);
    }

    private static ChannelGrid Part(ChannelGrid grid, int axis, int first, int size)
    {
        var inner = grid.Sizes[(axis + 1)..].Aggregate(1, (a, b) => a * b);
        var outer = grid.Sizes[..axis].Aggregate(1, (a, b) => a * b);
        var labels = new int[outer * size * inner];
        for (var o = 0; o < outer; o++)
        {
            grid.Labels.AsSpan((o * grid.Sizes[axis] + first) * inner, size * inner).CopyTo(labels.AsSpan(o * size * inner));
        }

        return new([.. grid.Sizes[..axis], size, .. grid.Sizes[(axis + 1)..]], labels);
    }

    /// <summary>How many dimensions come after the node's axis.</summary>
    private static int? InnerOf(Node node, Shape shape)
    {
        var axis = node.Int("axis", 0);
        return (int)(axis < 0 ? -axis - 1 : shape.Rank - 1 - axis);
    }
}
