namespace Build.ML.Graph.Coupling;

/// <summary>Ties that many operators have in common.</summary>
public static class CouplingFormulas
{
    /// <summary>Ties layouts that broadcast against each other, aligned at the last dimension; dimensions of size 1 are free.</summary>
    /// <returns>Layouts of the result.</returns>
    public static DimensionLayout[] Broadcast(this CouplingContext c, params ReadOnlySpan<IReadOnlyList<DimensionLayout>> inputs)
    {
        ArgumentNullException.ThrowIfNull(c);
        var rank = 0;
        foreach (var input in inputs)
        {
            rank = Math.Max(rank, input.Count);
        }

        var result = new DimensionLayout[rank];
        for (var i = 0; i < rank; i++)
        {
            result[i] = DimensionLayout.Unit;
            foreach (var input in inputs)
            {
                var at = i - rank + input.Count;
                if (at < 0 || input[at].Size == 1)
                {
                    continue;
                }

                if (result[i].Size == 1)
                {
                    result[i] = input[at];
                }
                else
                {
                    c.Unify(result[i], input[at]);
                }
            }
        }

        return result;
    }

    /// <summary>Ties an input that broadcasts to others, such as a bias, and states that it is a parameter of each dimension.</summary>
    /// <param name="c">The node.</param>
    /// <param name="input">Which input.</param>
    /// <param name="to">Layouts it broadcasts to.</param>
    public static void Align(this CouplingContext c, int input, IReadOnlyList<DimensionLayout> to)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(to);
        var layouts = c.Layouts(input);
        for (var i = 0; i < layouts.Count; i++)
        {
            var at = i + to.Count - layouts.Count;
            c.Role(input, i, AxisRole.Parameter);
            if (layouts[i].Size != 1)
            {
                c.Unify(to[at], layouts[i]);
            }
        }
    }

    /// <summary>States what the first dimensions of an input are.</summary>
    public static void RoleOfAll(this CouplingContext c, int input, int dimensions, AxisRole role)
    {
        ArgumentNullException.ThrowIfNull(c);
        for (var i = 0; i < dimensions; i++)
        {
            c.Role(input, i, role);
        }
    }

    /// <summary>States that every dimension of an input is one of parameters.</summary>
    public static void Parameters(this CouplingContext c, int input) => c.RoleOfAll(input, c.Layouts(input).Count, AxisRole.Parameter);

    /// <summary>Hands the first input's layouts on to the first output.</summary>
    public static void Pass(this CouplingContext c)
    {
        ArgumentNullException.ThrowIfNull(c);
        c.Set(0, c.Layouts(0));
    }

    /// <summary>A dimension of an output that the node computes by position, and the one it computes it from: nothing can be removed from either.</summary>
    public static DimensionLayout Computed(this CouplingContext c, DimensionLayout from, Dimension size, string reason)
    {
        ArgumentNullException.ThrowIfNull(c);
        c.Lock(from, reason);
        return c.Locked(size, reason);
    }

    /// <summary>Layouts [N, channels, spatial…] of an operator over spatial dimensions, which it computes by position.</summary>
    /// <param name="c">The node: input 0 is [N, C, spatial…].</param>
    /// <param name="reason">What it does with spatial dimensions.</param>
    /// <param name="channels">Channels of the result.</param>
    public static DimensionLayout[] Windowed(this CouplingContext c, string reason, DimensionLayout channels)
    {
        ArgumentNullException.ThrowIfNull(c);
        var x = c.Layouts(0);
        var shape = c.OutputShape(0);
        var result = new DimensionLayout[x.Count];
        (result[0], result[1]) = (x[0], channels);
        for (var i = 2; i < result.Length; i++)
        {
            result[i] = c.Computed(x[i], shape[i], reason);
        }

        return result;
    }
}
