using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Reductions over axes.</summary>
[Gradients]
public sealed class ReductionGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ReductionGradients()
    {
        Rule("ReduceSum", (n, g, op) => [Kept(n, g, op)]);
        Rule("ReduceMean", (n, g, op) => [op.Mul(Kept(n, g, op), (double)n.Y.Count() / n.X.Count())]);
        Rule("ReduceSumSquare", (n, g, op) => [op.Mul(op.Mul(n.X, 2), Kept(n, g, op))]);
        Rule("ReduceL1", (n, g, op) => [op.Mul(op.Sign(n.X), Kept(n, g, op))]);
        // x/‖x‖, and 0 where the norm is 0
        Rule("ReduceL2", (n, g, op) => [op.Mul(n.X, Kept(n, op.Div(g, op.Max(n.Y, op.Scalar(1e-30, n.Y.ElementType))), op))]);
        Rule("ReduceLogSum", (n, g, op) => [Kept(n, op.Mul(g, op.Exp(op.Neg(n.Y))), op)]);
        Rule("ReduceLogSumExp", (n, g, op) => [op.Mul(op.Exp(op.Sub(n.X, Kept(n, n.Y, op))), Kept(n, g, op))]);
        Rule(["ReduceMax", "ReduceMin"], (n, g, op) =>
        {
            // Equal ones share.
            var chosen = op.Cast(op.Compare("Equal", n.X, Kept(n, n.Y, op)), n.X.ElementType);
            return [op.Mul(chosen, op.Div(Kept(n, g, op), op.ReduceSum(chosen, Reduced(n))))];
        });
        Rule("ReduceProd", (n, g, op) =>
        {
            // The product of the others: with zeros replaced by 1, the product over the element, if no other is 0.
            var type = n.X.ElementType;
            var zeros = op.Cast(op.Compare("Equal", n.X, op.Scalar(0, type)), type);
            var nonzero = op.Add(n.X, zeros);
            var others = op.Div(op.Reduce("ReduceProd", nonzero, Reduced(n), keep: true), nonzero);
            var noOther = op.Compare("Equal", op.Sub(op.ReduceSum(zeros, Reduced(n)), zeros), op.Scalar(0, type));
            return [op.Keep(noOther, op.Mul(others, Kept(n, g, op)))];
        });
        Rule("CumSum", (n, g, op) =>
        [
            op.Node("CumSum", [g, n.Input(1)], NodeAttribute.Int("reverse", 1 - n.Int("reverse", 0)), NodeAttribute.Int("exclusive", n.Int("exclusive", 0))),
        ]);
        Rule("LpNormalization", (n, g, op) =>
        {
            // y = x/‖x‖: (g − d‖x‖·Σ g·y)/‖x‖, d‖x‖ = y for the Euclidean norm, sign(x) for the sum of magnitudes.
            long[] axes = [n.Axis("axis", -1)];
            var (norm, direction) = n.Int("p", 2) == 1 ? (op.ReduceSum(op.Abs(n.X), axes), op.Sign(n.X)) : (op.Sqrt(op.ReduceSum(op.Square(n.X), axes)), n.Y);
            return [op.Div(op.Sub(g, op.Mul(direction, op.ReduceSum(op.Mul(g, n.Y), axes))), norm)];
        });
    }

    private static long[] Reduced(Forward n) => Array.ConvertAll(Axes(n), a => (long)a);

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
