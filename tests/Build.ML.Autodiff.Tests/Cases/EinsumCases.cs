using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class EinsumCases : GradientCaseTable
{
    public EinsumCases()
    {
        Einsum("ij,jk->ik", [2, 3], [3, 4]);
        Einsum("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 3, 4]);
        Einsum("bnd,ndh->bnh", [2, 3, 4], [3, 4, 2]);
        Einsum("i,j->ij", [3], [4]);
        Einsum("ij->ji", [3, 4]);
        Einsum("ij->", [3, 4]);
        Einsum("ij->i", [3, 4]);
        Einsum("ij,jk", [2, 3], [3, 4]);
        Einsum("...ij,...jk->...ik", [2, 1, 2, 3], [2, 4, 3, 2]);
        Einsum("bi,ij,bj->b", [2, 3], [3, 4], [2, 4]);
    }

    void Einsum(string equation, params long[][] sizes) => Case("Einsum", r => new([.. sizes.Select(s => r.Normal(s))], NodeAttribute.String("equation", equation)), equation);
}
