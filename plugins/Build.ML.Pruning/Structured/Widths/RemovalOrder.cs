using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured.Widths;

/// <summary>
/// In which order positions go: blocks of them, so that the size of an axis is a multiple after each. Whatever the target, the first so many blocks go; within an axis the positions of least
/// importance first, of equal ones the first.
/// </summary>
internal sealed class RemovalOrder
{
    private readonly IReadOnlyList<ChannelAxis> _axes;
    private readonly RemovalBlock[] _blocks;

    /// <summary>Orders the positions of some axes.</summary>
    /// <param name="axes">The axes.</param>
    /// <param name="scores">Importance of each position of each axis.</param>
    /// <param name="scope">Whether axes are compared by importance, or lose the same share.</param>
    /// <param name="roundTo">Multiple of the sizes.</param>
    /// <param name="minimum">What every axis keeps.</param>
    public RemovalOrder(IReadOnlyList<ChannelAxis> axes, IReadOnlyList<float[]> scores, PruningScope scope, int roundTo, int minimum)
    {
        _axes = axes;
        var blocks = new List<RemovalBlock>();
        for (var a = 0; a < axes.Count; a++)
        {
            AddBlocks(blocks, a, scores[a], scope, UnitOf(axes[a], roundTo), minimum);
        }

        _blocks = [.. blocks.OrderBy(b => b.Priority)]; // stable: those of an axis stay in their order
    }

    /// <summary>Number of blocks.</summary>
    public int Count => _blocks.Length;

    /// <summary>
    /// The multiple for an axis: halved until there are at least two of it. Not for one that shares a dimension with others one after the other, as what a shortcut pads does: there the sum is
    /// to be a multiple.
    /// </summary>
    public static int UnitOf(ChannelAxis axis, int roundTo)
    {
        while (roundTo > 1 && axis.Size < 2 * roundTo && !axis.Places.Any(p => IsTerm(axis, p.Layout)))
        {
            roundTo /= 2;
        }

        return roundTo;
    }

    /// <summary>Sizes of the axes when the first blocks are gone, in the axes' order.</summary>
    public int[] Sizes(int blocks)
    {
        int[] sizes = [.. _axes.Select(a => a.Size)];
        foreach (var block in _blocks.AsSpan(0, blocks))
        {
            sizes[block.Axis] -= block.Positions.Length;
        }

        return sizes;
    }

    /// <summary>The positions of the first blocks by index of the axis, ascending; only axes that lose some.</summary>
    public SortedDictionary<int, int[]> Positions(int blocks)
    {
        var removed = new SortedDictionary<int, int[]>();
        foreach (var axis in _blocks.Take(blocks).GroupBy(b => b.Axis))
        {
            removed.Add(axis.Key, [.. axis.SelectMany(b => b.Positions).Order()]);
        }

        return removed;
    }

    // One position more makes a product of which the axis is a factor larger by the size without it; a sum of which it is a term by less.
    private static bool IsTerm(ChannelAxis axis, DimensionLayout layout) =>
        (layout.SizeWith(a => a == axis ? a.Size + 1 : a.Size) - layout.Size) * axis.Size != layout.Size;

    private static void AddBlocks(List<RemovalBlock> blocks, int axis, float[] scores, PruningScope scope, int unit, int minimum)
    {
        int[] order = [.. Enumerable.Range(0, scores.Length).OrderBy(p => scores[p])];
        var keep = (minimum + unit - 1) / unit * unit;
        for (var gone = 0; ;)
        {
            var size = (scores.Length - gone) % unit is var rest and > 0 ? rest : unit; // the first block makes a size a multiple that was none
            if (scores.Length - gone - size < keep)
            {
                return;
            }

            var positions = order.AsSpan(gone, size).ToArray();
            gone += size;
            var priority = scope == PruningScope.Layer ? (double)gone / scores.Length : positions.Average(p => (double)scores[p]);
            blocks.Add(new(axis, positions, priority));
        }
    }
}
