namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Matrix products: rows pass, the inner dimensions are one.</summary>
[CouplingRules]
sealed class LinearCouplings : CouplingRuleTable
{
    public LinearCouplings()
    {
        Rule("MatMul", MatMul);
        Rule("Gemm", Gemm);
    }

    /// <summary>A [batch…, m, k] · B [batch…, k, n]; a vector has only k.</summary>
    private static void MatMul(CouplingContext c)
    {
        var (a, b) = (c.Layouts(0), c.Layouts(1));
        var (innerA, innerB) = (a.Count - 1, Math.Max(0, b.Count - 2));
        c.Unify(a[innerA], b[innerB]);
        c.Role(0, innerA, AxisRole.Input);
        c.Role(1, innerB, AxisRole.Input);
        var batchA = a.Take(Math.Max(0, a.Count - 2)).ToArray();
        var batchB = b.Take(Math.Max(0, b.Count - 2)).ToArray();
        var batch = c.Broadcast(batchA, batchB);
        DimensionLayout[] rows = a.Count > 1 ? [a[^2]] : [];
        DimensionLayout[] columns = b.Count > 1 ? [b[^1]] : [];
        if (a.Count > 1)
        {
            c.Role(0, a.Count - 2, AxisRole.Output);
        }

        if (b.Count > 1)
        {
            c.Role(1, b.Count - 1, AxisRole.Output);
        }

        c.RoleOfAll(0, batchA.Length, AxisRole.Output);
        c.RoleOfAll(1, batchB.Length, AxisRole.Output);
        c.Set(0, [.. batch, .. rows, .. columns]);
        if (!c.IsConstant(0) && !c.IsConstant(1))
        {
            c.Mark(a[innerA], AxisMark.Summed);
            if (batch.Length > 1)
            {
                // The last batch dimension of [batch, heads, …]; the first where batch and heads are one dimension.
                c.Mark(batch[^1], AxisMark.Heads);
            }
            else if (batch.Length == 1)
            {
                c.Mark(batch[0], AxisMark.Heads);
            }

            if (batch.Length > 0)
            {
                c.Mark(a[innerA], AxisMark.HeadSize);
                Array.ForEach(columns, l => c.Mark(l, AxisMark.HeadSize));
            }
        }
    }

    /// <summary>A' [m, k] · B' [k, n] + C broadcast to [m, n].</summary>
    private static void Gemm(CouplingContext c)
    {
        var (a, b) = (c.Layouts(0), c.Layouts(1));
        var (k, n) = c.Node.Int("transB", 0) != 0 ? (1, 0) : (0, 1);
        var (m, inner) = c.Node.Int("transA", 0) != 0 ? (1, 0) : (0, 1);
        c.Unify(a[inner], b[k]);
        c.Role(0, inner, AxisRole.Input);
        c.Role(0, m, AxisRole.Output);
        c.Role(1, k, AxisRole.Input);
        c.Role(1, n, AxisRole.Output);
        if (!c.IsConstant(0) && !c.IsConstant(1))
        {
            c.Mark(a[inner], AxisMark.Summed);
        }

        c.Set(0, a[m], b[n]);
        if (c.HasInput(2))
        {
            c.Align(2, [a[m], b[n]]);
        }
    }
}
