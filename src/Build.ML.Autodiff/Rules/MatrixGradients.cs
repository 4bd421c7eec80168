using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Matrix products: dA = dY·Bᵀ, dB = Aᵀ·dY, with the transpositions inside the product.</summary>
[Gradients]
public sealed class MatrixGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public MatrixGradients()
    {
        Rule("MatMul", (n, g, op) => Product(n, g, op, false, false, 1));
        Rule("FusedMatMul", (n, g, op) => Product(n, g, op, n.Int("transA", 0) != 0, n.Int("transB", 0) != 0, n.Float("alpha", 1)), Microsoft);
        Form("FusedMatMul", WithoutBatchTransposition, Microsoft);
        Rule("Gemm", (n, g, op) =>
        {
            var beta = n.Float("beta", 1);
            var (a, b) = OfMatrices(n, g, n.X, n.Input(1), op, n.Int("transA", 0) != 0, n.Int("transB", 0) != 0, n.Float("alpha", 1));
            return [a, b, n.Needs(2) ? op.Mul(op.SumTo(g, n.Input(2).Sizes().AsSpan()), beta) : null];
        });
    }

    private static Value?[] Product(Forward n, Value g, GraphOps op, bool transposeA, bool transposeB, float alpha)
    {
        var (a, b) = (n.X, n.Input(1));
        // A vector is a matrix of one row or column.
        long[] aSizes = a.Rank() == 1 ? [1, a.Size(0)] : [.. a.Sizes()];
        long[] bSizes = b.Rank() == 1 ? [b.Size(0), 1] : [.. b.Sizes()];
        if (bSizes.Length == 2 && !transposeA && aSizes.Length != 2)
        {
            // The rows of all batches in one product.
            aSizes = [StaticSizes.Product(aSizes.AsSpan()[..^1]), aSizes[^1]];
        }

        var (rows, columns) = (aSizes[transposeA ? ^1 : ^2], bSizes[transposeB ? ^2 : ^1]);
        var batch = StaticSizes.Broadcast(aSizes.AsSpan()[..^2], bSizes.AsSpan()[..^2]);
        var (ga, gb) = OfMatrices(
            n, op.Reshape(g, [.. batch, rows, columns]), op.Reshape(a, aSizes), op.Reshape(b, bSizes), op, transposeA && a.Rank() > 1, transposeB && b.Rank() > 1, alpha);
        return
        [
            ga is null ? null : op.Reshape(op.SumTo(ga, aSizes), a.Sizes().AsSpan()),
            gb is null ? null : op.Reshape(op.SumTo(gb, bSizes), b.Sizes().AsSpan()),
        ];
    }

    private static (Value? A, Value? B) OfMatrices(Forward n, Value g, Value a, Value b, GraphOps op, bool transposeA, bool transposeB, float alpha) => (
        !n.Needs(0) ? null : transposeA ? op.MatMul(b, g, transposeB, true, alpha) : op.MatMul(g, b, false, !transposeB, alpha),
        !n.Needs(1) ? null : transposeB ? op.MatMul(g, a, true, transposeA, alpha) : op.MatMul(a, g, !transposeA, false, alpha));

    // transBatch moves the first axis behind the batch axes: [M, b1, b2, K] is read as [b1, b2, M, K].
    private static Value?[]? WithoutBatchTransposition(Forward n, GraphOps op)
    {
        if (n.Int("transBatchA", 0) == 0 && n.Int("transBatchB", 0) == 0)
        {
            return null;
        }

        Value Moved(Value v, string attribute) =>
            n.Int(attribute, 0) == 0 || v.Rank() < 3 ? v : op.Transpose(v, [.. Enumerable.Range(1, v.Rank() - 2).Select(i => (long)i), 0, v.Rank() - 1]);
        return [op.MatMul(Moved(n.X, "transBatchA"), Moved(n.Input(1), "transBatchB"), n.Int("transA", 0) != 0, n.Int("transB", 0) != 0, n.Float("alpha", 1))];
    }
}
