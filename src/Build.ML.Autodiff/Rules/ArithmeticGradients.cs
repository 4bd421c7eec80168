using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Sums, products and powers.</summary>
[Gradients]
public sealed class ArithmeticGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ArithmeticGradients()
    {
        Rule("Identity", (_, g, _) => [g]);
        Rule("Add", (_, g, _) => [g, g]);
        Rule("Sub", (n, g, op) => [g, n.Needs(1) ? op.Neg(g) : null]);
        Rule("Mul", (n, g, op) => [n.Needs(0) ? OfFactor(n.X, g, n.Input(1), op) : null, n.Needs(1) ? OfFactor(n.Input(1), g, n.X, op) : null]);
        Rule("Div", (n, g, op) =>
        {
            // d(x/z) = dx/z − (x/z)·dz/z
            var ofX = op.Div(g, n.Input(1));
            return [ofX, n.Needs(1) ? op.Neg(OfFactor(n.Input(1), ofX, n.Y, op)) : null];
        });
        Rule("Neg", (_, g, op) => [op.Neg(g)]);
        Rule("Sum", (n, g, _) => [.. Enumerable.Repeat(g, n.InputCount)]);
        Rule("Mean", (n, g, op) => [.. Enumerable.Repeat(op.Div(g, n.InputCount), n.InputCount)]);
    }

    // The gradient of a lone factor, such as a scale, is summed over all that it multiplies.
    private static Value OfFactor(Value factor, Value gradient, Value other, GraphOps op) =>
        factor.Count() == 1 && gradient.Count() > 1 && gradient.Sizes().AsSpan().SequenceEqual(other.Sizes().AsSpan()) && gradient.ElementType == DataType.Float
            ? op.Reshape(op.Dot(gradient, other), factor.Sizes().AsSpan())
            : op.Mul(gradient, other);
}
