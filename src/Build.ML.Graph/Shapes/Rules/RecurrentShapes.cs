namespace Build.ML.Graph.Shapes.Rules;

/// <summary>RNN, GRU and LSTM: X [seq, batch, input] (layout 1: [batch, seq, input]) → Y [seq, directions, batch, hidden].</summary>
[ShapeRules]
sealed class RecurrentShapes : ShapeRuleTable
{
    public RecurrentShapes()
    {
        Rule(["RNN", "GRU", "LSTM"], Recurrent);
        Rule(["DynamicQuantizeLSTM", "AttnLSTM"], Recurrent, Microsoft);
    }

    private static void Recurrent(ShapeContext c)
    {
        var element = c.ElementOf(0);
        if (c.ShapeOf(0) is not { Rank: 3 } x)
        {
            c.Set(0, element, ShapeFormulas.OfRank(4));
            c.Set(1, element, ShapeFormulas.OfRank(3));
            c.Set(2, element, ShapeFormulas.OfRank(3));
            return;
        }

        Dimension directions = c.String("direction", "forward") == "bidirectional" ? 2 : 1;
        // R is [directions, gates·hidden, hidden]; the quantized LSTM's is transposed.
        Dimension hidden = c.Attribute("hidden_size")?.Value is long h ? h : c.Node.Domain.Length == 0 && c.ShapeOf(2) is { Rank: 3 } r ? r[2] : Dimension.Unknown;
        var batchFirst = c.Int("layout", 0) != 0;
        var (sequence, batch) = batchFirst ? (x[1], x[0]) : (x[0], x[1]);
        c.Set(0, element, batchFirst ? new Shape(batch, sequence, directions, hidden) : new Shape(sequence, directions, batch, hidden));
        var state = batchFirst ? new Shape(batch, directions, hidden) : new Shape(directions, batch, hidden);
        c.Set(1, element, state);
        c.Set(2, element, state);
    }
}
