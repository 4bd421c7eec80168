namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Attention in its fused forms, and rotary embeddings.</summary>
[ShapeRules]
sealed class AttentionShapes : ShapeRuleTable
{
    public AttentionShapes()
    {
        Rule("Attention", Attention);
        Rule("RotaryEmbedding", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)));
        Rule("Attention", PackedAttention, Microsoft);
        Rule("QAttention", c => c.Set(0, c.ElementOf(2), null), Microsoft);
        Rule("MultiHeadAttention", MultiHead, Microsoft);
        Rule("GroupQueryAttention", GroupQuery, Microsoft);
        Rule("PackedMultiHeadAttention", c => c.Set(0, c.ElementOf(0), null), Microsoft);
    }

    /// <summary>
    /// Opset 23. Q is [batch, heads, seq, head] or [batch, seq, heads·head] with q_num_heads and kv_num_heads; Y has Q's form with V's head size. Present
    /// keys and values are [batch, kv heads, past + seq, head].
    /// </summary>
    private static void Attention(ShapeContext c)
    {
        var element = c.ElementOf(0);
        if (c.ShapeOf(0) is not { } q || c.ShapeOf(1) is not { } k || c.ShapeOf(2) is not { } v || q.Rank != v.Rank || q.Rank is not (3 or 4))
        {
            c.Set(0, element, c.ShapeOf(0) is { } s ? ShapeFormulas.OfRank(s.Rank) : null);
            return;
        }

        var past = c.HasInput(4) ? c.ShapeOf(4) is { Rank: 4 } p ? p[2] : Dimension.Unknown : new Dimension(0);
        if (q.Rank == 4)
        {
            var total = ((SymbolicInteger)past + k[2]).ToDimension();
            c.Set(0, element, q.With(3, v[3]));
            c.Set(1, c.ElementOf(1), k.With(2, total));
            c.Set(2, c.ElementOf(2), v.With(2, total));
            c.Set(3, element, new Shape(q[0], q[1], q[2], total));
            return;
        }

        var (heads, kvHeads) = (c.Int("q_num_heads", 0), c.Int("kv_num_heads", 0));
        if (heads < 1 || kvHeads < 1)
        {
            c.Fail("Q of rank 3 needs the attributes q_num_heads and kv_num_heads");
            return;
        }

        var all = ((SymbolicInteger)past + k[1]).ToDimension();
        c.Set(0, element, q.With(2, ((SymbolicInteger)v[2] / kvHeads * heads).ToDimension()));
        c.Set(1, c.ElementOf(1), new Shape(q[0], kvHeads, all, ((SymbolicInteger)k[2] / kvHeads).ToDimension()));
        c.Set(2, c.ElementOf(2), new Shape(q[0], kvHeads, all, ((SymbolicInteger)v[2] / kvHeads).ToDimension()));
        c.Set(3, element, new Shape(q[0], heads, q[1], all));
    }

    /// <summary>Input [batch, seq, in], weights [in, 3·hidden] → [batch, seq, hidden]; qkv_hidden_sizes tells V's size where they differ.</summary>
    private static void PackedAttention(ShapeContext c)
    {
        var hidden = c.Ints("qkv_hidden_sizes") is { Length: 3 } sizes ? sizes[2]
            : c.ShapeOf(1) is { Rank: 2 } w ? ((SymbolicInteger)w[1] / 3).ToDimension() : Dimension.Unknown;
        c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { Rank: 3 } x ? new Shape(x[0], x[1], hidden) : null);
        c.Set(1, c.ElementOf(0), null);
    }

    /// <summary>Query [batch, seq, hidden] (or packed [batch, seq, heads, 3, head]) → [batch, seq, V's hidden].</summary>
    private static void MultiHead(ShapeContext c)
    {
        Shape? shape = null;
        if (c.ShapeOf(0) is { Rank: 5 } packed)
        {
            shape = new Shape(packed[0], packed[1], ((SymbolicInteger)packed[2] * packed[4]).ToDimension());
        }
        else if (c.ShapeOf(0) is { Rank: 3 } q)
        {
            shape = c.ShapeOf(2) switch
            {
                { Rank: 3 } v => q.With(2, v[2]),
                { Rank: 4 } v => q.With(2, ((SymbolicInteger)v[1] * v[3]).ToDimension()),
                _ => c.HasInput(2) ? null : q,
            };
        }

        c.Set(0, c.ElementOf(0), shape);
        c.Set(1, c.ElementOf(0), null);
        c.Set(2, c.ElementOf(0), null);
    }

    /// <summary>Query [batch, seq, heads·head]; with key and value packed into it [batch, seq, (heads + 2·kv heads)·head].</summary>
    private static void GroupQuery(ShapeContext c)
    {
        var (heads, kvHeads) = (c.Int("num_heads", 1), c.Int("kv_num_heads", 1));
        var q = c.ShapeOf(0);
        var packed = !c.HasInput(1);
        c.Set(0, c.ElementOf(0), q is not { Rank: 3 } ? null
            : packed ? q.With(2, ((SymbolicInteger)q[2] / checked(heads + 2 * kvHeads) * heads).ToDimension()) : q);
        // Present keys and values: [batch, kv heads, total, head], in place of the past ones where these are given.
        var head = q is { Rank: 3 } ? (SymbolicInteger)q[2] / (packed ? checked(heads + 2 * kvHeads) : heads) : SymbolicInteger.Unknown;
        for (var i = 1; i < 3; i++)
        {
            var total = c.HasInput(i + 2) ? Dimension.Unknown : c.ScalarOf(6).ToDimension();
            c.Set(i, c.ElementOf(0), c.ShapeOf(i + 2) is { Rank: 4 } past ? past.With(2, Dimension.Unknown)
                : q is { Rank: 3 } ? new Shape(q[0], kvHeads, total, head.ToDimension()) : null);
        }
    }
}
