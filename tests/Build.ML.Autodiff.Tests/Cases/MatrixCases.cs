using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class MatrixCases : GradientCaseTable
{
    const string Microsoft = "com.microsoft";

    public MatrixCases()
    {
        Case("MatMul", r => new([r.Normal(3, 4), r.Normal(4, 2)]), "matrices");
        Case("MatMul", r => new([r.Normal(2, 3, 4), r.Normal(4, 2)]), "rows of batches");
        Case("MatMul", r => new([r.Normal(3, 4), r.Normal(2, 4, 2)]), "one left matrix");
        Case("MatMul", r => new([r.Normal(2, 1, 3, 4), r.Normal(3, 4, 2)]), "batches broadcast");
        Case("MatMul", r => new([r.Normal(4), r.Normal(4)]), "vectors");
        Case("MatMul", r => new([r.Normal(4), r.Normal(2, 4, 3)]), "vector and batch");
        Case("MatMul", r => new([r.Normal(2, 3, 4), r.Normal(4)]), "batch and vector");
        Case("MatMul", r => new([r.Normal(2, 3, 4), r.Normal(4, 2)]) { Checked = [1] }, "right one only");
        for (var t = 0; t < 4; t++)
        {
            var (a, b) = (t & 1, t >> 1);
            NodeAttribute[] transposed = [NodeAttribute.Int("transA", a), NodeAttribute.Int("transB", b)];
            Case("Gemm", r => new(
                [a == 0 ? r.Normal(3, 4) : r.Normal(4, 3), b == 0 ? r.Normal(4, 2) : r.Normal(2, 4), r.Normal(2)],
                [.. transposed, NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 2)]), $"A {a} B {b}");
            Case("FusedMatMul", r => new(
                [a == 0 ? r.Normal(2, 3, 4) : r.Normal(2, 4, 3), b == 0 ? r.Normal(2, 4, 2) : r.Normal(2, 2, 4)],
                [.. transposed, NodeAttribute.Float("alpha", 0.5f)]), $"A {a} B {b}", Microsoft);
            Case("FusedMatMul", r => new(
                [a == 0 ? r.Normal(2, 3, 4) : r.Normal(2, 4, 3), b == 0 ? r.Normal(4, 2) : r.Normal(2, 4)], transposed), $"right matrix, A {a} B {b}", Microsoft);
        }
        Case("Gemm", r => new([r.Normal(3, 4), r.Normal(4, 2)]), "no bias");
        Case("Gemm", r => new([r.Normal(3, 4), r.Normal(4, 2), r.Normal()]), "scalar bias");
        Case("Gemm", r => new([r.Normal(3, 4), r.Normal(4, 2), r.Normal(3, 1)]), "bias of rows");
        Case("FusedMatMul", r => new([r.Normal(3, 2, 4), r.Normal(4, 2, 5)], NodeAttribute.Int("transBatchA", 1), NodeAttribute.Int("transBatchB", 1)), "batches moved", Microsoft);
    }
}
