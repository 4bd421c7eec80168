namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Attention in its fused forms: widths are (heads)(head size), for grouped-query attention (key-value heads)(query heads of each)(head size).</summary>
[CouplingRules]
sealed class AttentionCouplings : CouplingRuleTable
{
    private const string Scaled = "scales by the head size and may turn pairs of its positions";

    public AttentionCouplings()
    {
        Rule("MultiHeadAttention", MultiHead, Microsoft);
        Rule("GroupQueryAttention", GroupQuery, Microsoft);
        Rule("Attention", Packed, Microsoft);
        Rule("Attention", Standard);
        Rule("RotaryEmbedding", c => Rotary(c, 2), Microsoft);
        Rule("RotaryEmbedding", c => Rotary(c, 1));
    }

    /// <summary>Query [batch, seq, heads·head], key and value likewise, bias of all three, …, attention bias [batch, heads, seq, total], past key and value.</summary>
    private static void MultiHead(CouplingContext c)
    {
        var (q, k, v) = (c.Layouts(0), c.Layouts(1), c.Layouts(2));
        if (q.Count != 3 || k.Count != 3 || v.Count != 3)
        {
            throw new InvalidOperationException("keys and values are packed or cached in a form that is not followed");
        }

        var heads = Heads(c, "num_heads");
        var (head, width) = (Head(c, q[2], heads), Head(c, v[2], heads));
        c.Unify(q[2], CouplingContext.Product(heads, head));
        c.Unify(k[2], CouplingContext.Product(heads, head));
        c.Unify(v[2], CouplingContext.Product(heads, width));
        c.Unify(k[1], v[1]);
        LockScaled(c, head);
        var output = CouplingContext.Product(heads, width);
        if (c.HasInput(3))
        {
            c.Unify(c.Layouts(3)[0], CouplingContext.Sum(CouplingContext.Product(heads, head), CouplingContext.Product(heads, head), output));
            c.Role(3, 0, AxisRole.Parameter);
        }

        Bias(c, 5, heads);
        c.Set(0, q[0], q[1], output);
        Cache(c, 6, q[0], heads, [head, width]);
    }

    /// <summary>As above with fewer key-value heads; the query may hold all three, one after the other.</summary>
    private static void GroupQuery(CouplingContext c)
    {
        var q = c.Layouts(0);
        var (count, kvCount) = (c.Node.Int("num_heads", 1), c.Node.Int("kv_num_heads", 1));
        var heads = Heads(c, "kv_num_heads");
        var group = c.Fresh(count / kvCount);
        c.Mark(group, AxisMark.Heads);
        c.Mark(group, AxisMark.QueryHeads);
        var isPacked = !c.HasInput(1);
        var head = c.Fresh(q[2].Size / (isPacked ? count + 2 * kvCount : count));
        var query = CouplingContext.Product(heads, group, head);
        var key = CouplingContext.Product(heads, head);
        c.Unify(q[2], isPacked ? CouplingContext.Sum(query, key, key) : query);
        if (!isPacked)
        {
            c.Unify(c.Layouts(1)[2], key);
            c.Unify(c.Layouts(2)[2], key);
        }

        c.AttributeIs("num_heads", CouplingContext.Product(heads, group));
        c.Mark(head, AxisMark.HeadSize);
        c.Lock(head, Scaled);
        c.Set(0, q[0], q[1], query);
        Cache(c, 3, q[0], heads, [head, head]);
    }

    /// <summary>Input [batch, seq, in], weights [in, q + k + v], bias [q + k + v]; each of the three is (heads)(head).</summary>
    private static void Packed(CouplingContext c)
    {
        var (x, w) = (c.Layouts(0), c.Layouts(1));
        if (c.HasInput(4))
        {
            throw new InvalidOperationException("its cache of keys and values is in a form that is not followed");
        }

        c.Unify(x[2], w[0]);
        c.Role(1, 0, AxisRole.Input);
        c.Role(1, 1, AxisRole.Output);
        var sizes = c.Node.Ints("qkv_hidden_sizes");
        var heads = Heads(c, "num_heads");
        var count = c.Node.Int("num_heads", 1);
        var head = c.Fresh((sizes.IsDefault ? w[1].Size / 3 : sizes[0]) / count);
        var width = c.Fresh((sizes.IsDefault ? w[1].Size / 3 : sizes[2]) / count);
        DimensionLayout[] parts = [CouplingContext.Product(heads, head), CouplingContext.Product(heads, head), CouplingContext.Product(heads, width)];
        c.Unify(w[1], CouplingContext.Sum(parts));
        for (var i = 0; i < 3 && !sizes.IsDefault; i++)
        {
            c.AttributeIs("qkv_hidden_sizes", i, parts[i]);
        }

        if (sizes.IsDefault)
        {
            c.Lock(width, "has no sizes of its own for keys and values");
        }

        if (c.HasInput(2))
        {
            c.Unify(c.Layouts(2)[0], CouplingContext.Sum(parts));
            c.Role(2, 0, AxisRole.Parameter);
        }

        c.Mark(width, AxisMark.HeadSize);
        LockScaled(c, head);
        Bias(c, 5, heads);
        c.Set(0, x[0], x[1], parts[2]);
    }

    /// <summary>
    /// Opset 23: Q [batch, heads, seq, head], or [batch, seq, heads·head] with the numbers as attributes; K and V likewise; mask [batch, heads, seq, total].
    /// </summary>
    private static void Standard(CouplingContext c)
    {
        var (q, k, v) = (c.Layouts(0), c.Layouts(1), c.Layouts(2));
        DimensionLayout heads, group, head, width;
        if (q.Count == 4)
        {
            (heads, head, width) = (k[1], k[3], v[3]);
            group = c.Fresh(q[1].Size / k[1].Size);
            c.Unify(q[1], CouplingContext.Product(heads, group));
            c.Unify(q[3], head);
            c.Unify(v[1], heads);
            c.Unify(k[2], v[2]);
            c.Mark(heads, AxisMark.Heads);
            c.Set(0, q[0], q[1], q[2], width);
        }
        else
        {
            heads = Heads(c, "kv_num_heads");
            group = c.Fresh(c.Node.Int("q_num_heads", 1) / c.Node.Int("kv_num_heads", 1));
            (head, width) = (Head(c, k[2], heads), Head(c, v[2], heads));
            c.AttributeIs("q_num_heads", CouplingContext.Product(heads, group));
            c.Unify(q[2], CouplingContext.Product(heads, group, head));
            c.Unify(k[2], CouplingContext.Product(heads, head));
            c.Unify(v[2], CouplingContext.Product(heads, width));
            c.Unify(k[1], v[1]);
            c.Set(0, q[0], q[1], CouplingContext.Product(heads, group, width));
        }

        c.Mark(group, AxisMark.Heads);
        c.Mark(group, AxisMark.QueryHeads);
        c.Mark(head, AxisMark.HeadSize);
        c.Mark(width, AxisMark.HeadSize);
        LockScaled(c, head);
        Bias(c, 3, CouplingContext.Product(heads, group));
        Cache(c, 4, q[0], heads, [head, width]);
    }

    /// <summary>X [batch, seq, heads·head] or [batch, heads, seq, head]; tables [positions, head/2].</summary>
    private static void Rotary(CouplingContext c, int table)
    {
        c.Pass();
        var x = c.Layouts(0);
        var head = x[^1];
        if (x.Count == 3)
        {
            var count = c.Node.Int("num_heads", 0);
            var heads = c.Fresh(count > 0 ? count : x[2].Size / (2 * c.ShapeOf(table)![-1].Size!.Value));
            head = c.Fresh(x[2].Size / heads.Size);
            c.Unify(x[2], CouplingContext.Product(heads, head));
            if (count > 0)
            {
                c.AttributeIs("num_heads", heads);
            }
        }

        c.Lock(head, "turns its positions in pairs");
    }

    private static DimensionLayout Heads(CouplingContext c, string attribute)
    {
        var heads = c.Fresh(c.Node.Int(attribute, 1));
        c.AttributeIs(attribute, heads);
        c.Mark(heads, AxisMark.Heads);
        return heads;
    }

    private static DimensionLayout Head(CouplingContext c, DimensionLayout width, DimensionLayout heads)
    {
        var head = c.Fresh(width.Size / heads.Size);
        c.Mark(head, AxisMark.HeadSize);
        return head;
    }

    /// <summary>Without an attribute for it the scale is 1/√head: products would come out larger.</summary>
    private static void LockScaled(CouplingContext c, DimensionLayout head)
    {
        c.Mark(head, AxisMark.Summed);
        c.Mark(head, AxisMark.HeadSize);
        if (c.Node.Float("scale", 0) == 0)
        {
            c.Lock(head, Scaled);
        }
    }

    private static void Bias(CouplingContext c, int input, DimensionLayout heads)
    {
        if (c.HasInput(input) && c.Layouts(input) is { Count: 4 } bias && bias[1].Size != 1)
        {
            c.Unify(bias[1], heads);
        }
    }

    /// <summary>Past keys and values [batch, heads, past, head] and, as further outputs, the present ones.</summary>
    private static void Cache(CouplingContext c, int past, DimensionLayout batch, DimensionLayout heads, DimensionLayout[] sizes)
    {
        for (var i = 0; i < 2; i++)
        {
            if (c.HasInput(past + i))
            {
                c.Unify(c.Layouts(past + i)[1], heads);
                c.Unify(c.Layouts(past + i)[3], sizes[i]);
            }

            c.Set(i + 1, batch, heads, c.Locked(Dimension.Unknown, "counts positions in the text"), sizes[i]);
        }
    }
}
