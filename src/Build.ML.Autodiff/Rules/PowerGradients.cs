using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Powers, exponentials, logarithms.</summary>
[Gradients]
public sealed class PowerGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public PowerGradients()
    {
        Rule("Sqrt", (n, g, op) => [op.Div(op.Mul(g, 0.5), n.Y)]);
        Rule("Exp", (n, g, op) => [op.Mul(g, n.Y)]);
        Rule("Log", (n, g, op) => [op.Div(g, n.X)]);
        Rule("Erf", (n, g, op) => [op.Mul(g, op.Mul(op.Exp(op.Neg(op.Square(n.X))), 2 / Math.Sqrt(Math.PI)))]);
        Rule("Reciprocal", (n, g, op) => [op.Neg(op.Mul(g, op.Square(n.Y)))]);
        Rule("Pow", (n, g, op) => [n.Needs(0) ? op.Mul(g, OfBase(n, op)) : null, n.Needs(1) ? op.Mul(g, OfExponent(n, op)) : null]);
    }

    // p·x^(p−1)
    private static Value OfBase(Forward n, GraphOps op)
    {
        if (n.Input(1).Constant is { Count: 1, Type: DataType.Float or DataType.Double or DataType.Int32 or DataType.Int64 })
        {
            var p = n.Number(1, 2);
            return p switch
            {
                1 => op.Fill(1, n.X.Sizes().AsSpan()),
                0.5 => op.Div(0.5, n.Y),
                _ => op.Mul(op.Pow(n.X, p - 1), p),
            };
        }

        var exponent = op.Cast(n.Input(1), n.X.ElementType);
        return op.Mul(exponent, op.Pow(n.X, op.Sub(exponent, 1)));
    }

    // x^p·ln x, and 0 where x is not positive: there it has no derivative.
    private static Value OfExponent(Forward n, GraphOps op)
    {
        var positive = op.Compare("Greater", n.X, op.Scalar(0, n.X.ElementType));
        return op.Mul(n.Y, op.Log(op.Where(positive, n.X, op.Scalar(1, n.X.ElementType))));
    }
}
