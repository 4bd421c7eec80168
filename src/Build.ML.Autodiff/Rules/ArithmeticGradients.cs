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
        Rule("Mul", (n, g, op) => [n.Needs(0) ? op.Mul(g, n.Input(1)) : null, n.Needs(1) ? op.Mul(g, n.X) : null]);
        Rule("Div", (n, g, op) =>
        {
            // d(x/z) = dx/z − (x/z)·dz/z
            var ofX = op.Div(g, n.Input(1));
            return [ofX, n.Needs(1) ? op.Neg(op.Mul(ofX, n.Y)) : null];
        });
        Rule("Neg", (_, g, op) => [op.Neg(g)]);
        Rule("Sum", (n, g, _) => [.. Enumerable.Repeat(g, n.InputCount)]);
        Rule("Mean", (n, g, op) => [.. Enumerable.Repeat(op.Div(g, n.InputCount), n.InputCount)]);
    }
}
