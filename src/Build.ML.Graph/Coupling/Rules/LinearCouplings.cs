namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Matrix products: rows pass, the inner dimensions are one.</summary>
[CouplingRules]
sealed class LinearCouplings : CouplingRuleTable
{
    public LinearCouplings()
    {
        Rule(["MatMul", "MatMulInteger"], MatMul);
        Rule("Gemm", Gemm);
        Rule("FusedGemm", Gemm, Microsoft);
        Rule(["FusedMatMul", "TransposeMatMul"], Fused, Microsoft);
        Rule("MatMulIntegerToFloat", MatMul, Microsoft);
    }

    /// <summary>A [batch…, m, k] · B [batch…, k, n]; a vector has only k.</summary>
    private static void MatMul(CouplingContext c)
    {
        Multiply(c, false, false);
        var output = c.Layouts(1)[^1];
        for (var i = 2; i < c.InputCount; i++)
        {
            // Zero points, scales and bias of the integer forms: one, or one per column.
            if (c.HasInput(i) && c.Layouts(i) is { Count: 1 } own && own[0].Size != 1)
            {
                c.Unify(own[0], output);
                c.Role(i, 0, AxisRole.Parameter);
            }
        }
    }

    private static void Fused(CouplingContext c)
    {
        if (c.Node.Int("transBatchA", 0) != 0 || c.Node.Int("transBatchB", 0) != 0)
        {
            throw new InvalidOperationException("it transposes batch dimensions");
        }

        Multiply(c, c.Node.Int("transA", 0) != 0, c.Node.Int("transB", 0) != 0);
    }

    private static void Multiply(CouplingContext c, bool transposesA, bool transposesB)
    {
        var (a, b) = (c.Layouts(0), c.Layouts(1));
        var (innerA, innerB) = (a.Count - (transposesA && a.Count > 1 ? 2 : 1), transposesB ? b.Count - 1 : Math.Max(0, b.Count - 2));
        var (row, column) = (transposesA ? a.Count - 1 : a.Count - 2, transposesB ? b.Count - 2 : b.Count - 1);
        c.Unify(a[innerA], b[innerB]);
        c.Role(0, innerA, AxisRole.Input);
        c.Role(1, innerB, AxisRole.Input);
        var batchA = a.Take(Math.Max(0, a.Count - 2)).ToArray();
        var batchB = b.Take(Math.Max(0, b.Count - 2)).ToArray();
        var batch = c.Broadcast(batchA, batchB);
        DimensionLayout[] rows = a.Count > 1 ? [a[row]] : [];
        DimensionLayout[] columns = b.Count > 1 ? [b[column]] : [];
        if (a.Count > 1)
        {
            c.Role(0, row, AxisRole.Output);
        }

        if (b.Count > 1)
        {
            c.Role(1, column, AxisRole.Output);
        }

        c.RoleOfAll(0, batchA.Length, AxisRole.Output);
        c.RoleOfAll(1, batchB.Length, AxisRole.Output);
        c.Set(0, [.. batch, .. rows, .. columns]);
        if (!c.IsConstant(0) && !c.IsConstant(1))
        {
            c.Mark(a[innerA], AxisMark.Summed);
            if (batch.Length > 0)
            {
                // The last batch dimension of [batch, heads, …]; the only one where batch and heads are one dimension.
                c.Mark(batch[^1], AxisMark.Heads);
            }

            if (Array.Exists(batch, l => l.Size != 1))
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
