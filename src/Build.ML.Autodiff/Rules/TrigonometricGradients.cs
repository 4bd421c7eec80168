namespace Build.ML.Autodiff.Rules;

/// <summary>Trigonometric and hyperbolic functions and their inverses.</summary>
[Gradients]
public sealed class TrigonometricGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public TrigonometricGradients()
    {
        Rule("Sin", (n, g, op) => [op.Mul(g, op.Unary("Cos", n.X))]);
        Rule("Cos", (n, g, op) => [op.Neg(op.Mul(g, op.Unary("Sin", n.X)))]);
        Rule("Tan", (n, g, op) => [op.Mul(g, op.Add(op.Square(n.Y), 1))]);
        Rule("Asin", (n, g, op) => [op.Div(g, op.Sqrt(op.Sub(1, op.Square(n.X))))]);
        Rule("Acos", (n, g, op) => [op.Neg(op.Div(g, op.Sqrt(op.Sub(1, op.Square(n.X)))))]);
        Rule("Atan", (n, g, op) => [op.Div(g, op.Add(op.Square(n.X), 1))]);
        Rule("Sinh", (n, g, op) => [op.Mul(g, op.Unary("Cosh", n.X))]);
        Rule("Cosh", (n, g, op) => [op.Mul(g, op.Unary("Sinh", n.X))]);
        Rule("Asinh", (n, g, op) => [op.Div(g, op.Sqrt(op.Add(op.Square(n.X), 1)))]);
        Rule("Acosh", (n, g, op) => [op.Div(g, op.Sqrt(op.Sub(op.Square(n.X), 1)))]);
        Rule("Atanh", (n, g, op) => [op.Div(g, op.Sub(1, op.Square(n.X)))]);
    }
}
