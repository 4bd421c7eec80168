namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Convolutions: X [N, C, spatial…], W [M, C/group, kernel…] (ConvTranspose: [C, M/group, kernel…]) → [N, M, spatial…].</summary>
[CouplingRules]
sealed class ConvolutionCouplings : CouplingRuleTable
{
    private const string Slides = "slides a window over it";

    public ConvolutionCouplings()
    {
        Rule("Conv", c => Conv(c, transposed: false));
        Rule("ConvTranspose", c => Conv(c, transposed: true));
        Rule("FusedConv", c => Conv(c, transposed: false), Microsoft);
    }

    /// <summary>
    /// Groups are an axis of their own: C is (group)(C/group) and M is (group)(M/group), so that a depthwise convolution has one axis, its groups.
    /// </summary>
    private static void Conv(CouplingContext c, bool transposed)
    {
        var (x, w) = (c.Layouts(0), c.Layouts(1));
        var groups = c.Node.Int("group", 1);
        var (channels, filters) = transposed ? (w[0], w[1]) : (w[1], w[0]);
        var output = filters;
        if (groups > 1)
        {
            var group = c.Fresh(groups);
            c.AttributeIs("group", group);
            var whole = transposed ? channels : filters;
            var part = c.Fresh(whole.Size / groups);
            c.Unify(whole, CouplingContext.Product(group, part));
            (channels, output) = transposed ? (whole, CouplingContext.Product(group, filters)) : (CouplingContext.Product(group, channels), whole);
        }

        c.Unify(x[1], channels);
        var isDepthwise = groups > 1 && groups == x[1].Size;
        c.Role(1, 0, isDepthwise ? AxisRole.Parameter : transposed ? AxisRole.Input : AxisRole.Output);
        c.Role(1, 1, isDepthwise ? AxisRole.Parameter : transposed ? AxisRole.Output : AxisRole.Input);
        c.Mark(x[1], AxisMark.Channel);
        c.Mark(output, AxisMark.Channel);
        for (var i = 2; i < w.Count; i++)
        {
            c.Lock(w[i], "is a width of its kernel");
        }

        if (c.HasInput(2))
        {
            c.Unify(output, c.Layouts(2)[0]);
            c.Role(2, 0, AxisRole.Parameter);
        }

        var result = c.Windowed(Slides, output);
        if (c.HasInput(3))
        {
            c.Broadcast(result, c.Layouts(3)); // FusedConv's summand
        }

        c.Set(0, result);
    }
}
