using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Sums and means over axes.</summary>
[Gradients]
public sealed class ReductionGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ReductionGradients()
    {
        Rule("ReduceSum", (n, g, op) => [Kept(n, g, op)]);
        Rule("ReduceMean", (n, g, op) => [op.Mul(Kept(n, g, op), (double)n.Y.Count() / n.X.Count())]);
    }

    /// <summary>A value of the output's sizes with the reduced axes put back, of size 1: it broadcasts to the input.</summary>
    internal static Value Kept(Forward n, Value ofOutput, GraphOps op) => op.Reshape(ofOutput, KeptSizes(n));

    /// <summary>The input's sizes with 1 for each reduced axis.</summary>
    internal static long[] KeptSizes(Forward n)
    {
        long[] sizes = [.. n.X.Sizes()];
        foreach (var axis in Axes(n))
        {
            sizes[axis] = 1;
        }

        return sizes;
    }

    /// <summary>The reduced axes, from 0 on.</summary>
    internal static int[] Axes(Forward n)
    {
        var axes = n.Constant(1) ?? [];
        var rank = n.X.Rank();
        return axes.Length > 0 ? [.. axes.Select(a => (int)(a < 0 ? a + rank : a))]
            : n.Int("noop_with_empty_axes", 0) != 0 ? [] : [.. Enumerable.Range(0, rank)];
    }
}
