namespace Build.ML.Graph.Coupling.Rules;

/// <summary>
/// Recurrent layers: X [seq, batch, in], W [directions, gates·hidden, in], R [directions, gates·hidden, hidden], B [directions, 2·gates·hidden].
/// </summary>
[CouplingRules]
sealed class RecurrentCouplings : CouplingRuleTable
{
    public RecurrentCouplings()
    {
        Rule("RNN", c => Recurrent(c, 1));
        Rule("GRU", c => Recurrent(c, 3));
        Rule("LSTM", c => Recurrent(c, 4));
    }

    private static void Recurrent(CouplingContext c, int gates)
    {
        if (c.Node.Int("layout", 0) != 0)
        {
            throw new InvalidOperationException("its batch comes first");
        }

        var (x, w, r) = (c.Layouts(0), c.Layouts(1), c.Layouts(2));
        var hidden = r[2];
        var directions = w[0];
        c.Lock(directions, "runs one layer per direction");
        c.Role(1, 1, AxisRole.Output);
        c.Role(1, 2, AxisRole.Input);
        c.Role(2, 1, AxisRole.Output);
        c.Role(2, 2, AxisRole.Input);
        Tie(c, 1, [directions, Gates(c, gates, hidden), x[2]]);
        Tie(c, 2, [directions, Gates(c, gates, hidden), hidden]);
        Tie(c, 3, [directions, Gates(c, 2 * gates, hidden)]);
        Tie(c, 5, [directions, x[1], hidden]);
        Tie(c, 6, [directions, x[1], hidden]);
        Tie(c, 7, [directions, Gates(c, 3, hidden)]); // peepholes
        c.AttributeIs("hidden_size", hidden);
        c.Set(0, x[0], directions, x[1], hidden);
        c.Set(1, directions, x[1], hidden);
        c.Set(2, directions, x[1], hidden);
    }

    private static DimensionLayout Gates(CouplingContext c, int count, DimensionLayout hidden) =>
        CouplingContext.Product(c.Locked(count, "has this many gates"), hidden);

    private static void Tie(CouplingContext c, int input, DimensionLayout[] to)
    {
        if (c.HasInput(input))
        {
            var layouts = c.Layouts(input);
            for (var i = 0; i < to.Length; i++)
            {
                c.Unify(layouts[i], to[i]);
                c.Role(input, i, AxisRole.Parameter);
            }
        }
    }
}
