namespace Build.ML.Autodiff.Rules;

/// <summary>Pad in all its modes; negative pads cut.</summary>
[Gradients]
public sealed class PaddingGradients : GradientTable
{
    /// <summary>Names the rule.</summary>
    public PaddingGradients() => Rule("Pad", (n, g, op) =>
    {
        var rank = n.X.Rank();
        var (given, axes) = (n.Constant(1)!, n.Constant(3));
        var pads = new long[2 * rank];
        for (var i = 0; i < given.Length / 2; i++)
        {
            var axis = axes is null ? i : (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
            (pads[axis], pads[axis + rank]) = (given[i], given[i + (given.Length / 2)]);
        }

        var mode = n.String("mode", "constant");
        if (mode == "constant")
        {
            var inner = op.Pad(g, Array.ConvertAll(pads, p => -p));
            return [inner, null, n.Needs(2) ? op.Reshape(op.Sub(op.Total(g), op.Total(inner)), n.Input(2).Sizes().AsSpan()) : null];
        }

        for (var axis = 0; axis < rank; axis++)
        {
            if (pads[axis] == 0 && pads[axis + rank] == 0)
            {
                continue;
            }

            var size = n.X.Size(axis);
            var sources = new long[n.Y.Size(axis)];
            for (var i = 0; i < sources.Length; i++)
            {
                sources[i] = Source(i - pads[axis], size, mode);
            }

            g = op.ScatterAdd(g, axis, size, op.Integers(sources));
        }

        return [g];
    });

    // Which element of an axis the padded one at this place (from the first element on) repeats.
    private static long Source(long place, long size, string mode)
    {
        switch (mode)
        {
            case "edge":
                return Math.Clamp(place, 0, size - 1);
            case "wrap":
                return ((place % size) + size) % size;
            default:
                if (size == 1)
                {
                    return 0;
                }

                var period = 2 * (size - 1);
                var at = ((place % period) + period) % period;
                return at < size ? at : period - at;
        }
    }
}
