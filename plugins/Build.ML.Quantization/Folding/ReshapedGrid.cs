using Build.ML.Graph;

namespace Build.ML.Quantization.Folding;

/// <summary>Follows channels through a Reshape.</summary>
internal static class ReshapedGrid
{
    /// <summary>
    /// The grid of what was reshaped. From the last dimension on, dimensions of equal size (or symbol) correspond; others correspond in the smallest runs of equal products.
    /// Dimensions of unknown size are let be as soon as nothing varies along what is left.
    /// </summary>
    /// <param name="grid">Of the reshaped value.</param>
    /// <param name="to">Its shape.</param>
    /// <param name="from">Shape of what was reshaped.</param>
    /// <returns>Null where sizes that matter are not known.</returns>
    public static ChannelGrid? Of(ChannelGrid grid, Shape to, Shape from)
    {
        // Labels keep their row-major order: only the sizes they are read under change, from the last dimension to the first.
        var sizes = new Stack<int>();
        var left = grid.Labels.Length;
        var (i, j) = (to.Rank - 1, from.Rank - 1);
        while (left > 1)
        {
            if (i < 0 || j < 0)
            {
                return null;
            }

            if (to[i] == from[j] && (to[i].IsKnown || to[i].Symbol is not null))
            {
                var size = grid.SizeFromEnd(to.Rank - 1 - i);
                sizes.Push(size);
                left /= size;
                i--;
                j--;
                continue;
            }

            if (Run(to, from, ref i, ref j) is not { } run)
            {
                return null;
            }

            // Runs in which nothing varies stay 1; others are spelled out first.
            var own = run.To.Select((_, k) => grid.SizeFromEnd(to.Rank - 1 - (i + 1 + k))).ToArray();
            var varying = own.Aggregate(1, (a, b) => a * b);
            if (varying > 1 && !own.AsSpan().SequenceEqual(run.To))
            {
                var all = Enumerable.Range(0, Math.Max(grid.Rank, to.Rank - 1 - i)).Select(k => grid.SizeFromEnd(Math.Max(grid.Rank, to.Rank - 1 - i) - 1 - k)).ToArray();
                run.To.CopyTo(all, all.Length - (to.Rank - 1 - i));
                var spelled = grid.BroadcastTo(all);
                if (spelled is null)
                {
                    return null;
                }

                left = left / varying * run.To.Aggregate(1, (a, b) => a * b);
                grid = spelled;
                varying = run.To.Aggregate(1, (a, b) => a * b);
            }

            foreach (var size in run.From.Reverse())
            {
                sizes.Push(varying > 1 ? size : 1);
            }

            left /= varying;
        }

        return new ChannelGrid(sizes.Count == 0 ? [1] : [.. sizes], grid.Labels).Trimmed();
    }

    private static (int[] To, int[] From)? Run(Shape to, Shape from, ref int i, ref int j)
    {
        var (a, b) = (new List<int>(), new List<int>());
        long product = 1, other = 1;
        do
        {
            var takesTo = product <= other;
            if ((takesTo ? i : j) < 0 || (takesTo ? to[i].Size : from[j].Size) is not { } size || size == 0)
            {
                return null;
            }

            if (takesTo)
            {
                a.Insert(0, (int)size);
                product *= size;
                i--;
            }
            else
            {
                b.Insert(0, (int)size);
                other *= size;
                j--;
            }
        }
        while (product != other);
        return ([.. a], [.. b]);
    }
}
