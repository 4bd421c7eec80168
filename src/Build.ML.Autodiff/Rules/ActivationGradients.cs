using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Activations that most networks have.</summary>
[Gradients]
public sealed class ActivationGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ActivationGradients()
    {
        Rule("Relu", (n, g, op) => [op.Kernels.Contains("ReluGradient") ? op.Kernel("ReluGradient", [g, n.Y], [n.Y.Sizes()])[0] : op.Mul(g, op.Positive(n.Y))]);
        Rule("Sigmoid", (n, g, op) => [op.Mul(g, op.Sub(n.Y, op.Square(n.Y)))]);
        Rule("Tanh", (n, g, op) => [op.Mul(g, op.Sub(1, op.Square(n.Y)))]);
        Rule("Gelu", (n, g, op) => [op.Mul(g, n.String("approximate", "none") == "tanh" ? OfTanhGelu(n.X, op) : OfGelu(n.X, op))]);
        Rule("Gelu", (n, g, op) => [op.Mul(g, OfGelu(n.X, op))], Microsoft);
        Rule("FastGelu", (n, g, op) =>
        {
            var gradient = op.Mul(g, OfTanhGelu(n.Has(1) ? op.Add(n.X, n.Input(1)) : n.X, op));
            return [gradient, gradient];
        }, Microsoft);
        Rule("BiasGelu", (n, g, op) =>
        {
            var gradient = op.Mul(g, OfGelu(op.Add(n.X, n.Input(1)), op));
            return [gradient, gradient];
        }, Microsoft);
        Rule("QuickGelu", (n, g, op) => [op.Mul(g, OfSwish(n.X, n.Float("alpha", 1.702f), op))], Microsoft);
        Rule("Swish", (n, g, op) => [op.Mul(g, OfSwish(n.X, n.Float("alpha", 1), op))]);
    }

    /// <summary>d/dx of x·σ(a·x): s + a·x·s·(1 − s) = s·(1 + a·x·(1 − s)).</summary>
    internal static Value OfSwish(Value x, double alpha, GraphOps op)
    {
        var scaled = op.Mul(x, alpha);
        var s = op.Sigmoid(scaled);
        return op.Mul(s, op.Add(op.Mul(scaled, op.Sub(1, s)), 1));
    }

    // y = x·Φ(x): Φ(x) + x·φ(x) = ½·(1 + erf(u) + 2/√π·u·exp(−u²)) with u = x/√2 (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016).
    private static Value OfGelu(Value x, GraphOps op)
    {
        var u = op.Mul(x, Math.Sqrt(0.5));
        var density = op.Mul(op.Mul(u, op.Exp(op.Neg(op.Square(u)))), 1 / Math.Sqrt(Math.PI));
        return op.Add(op.Add(op.Mul(op.Unary("Erf", u), 0.5), 0.5), density);
    }

    // y = ½·x·(1 + t), t = tanh(k·(x + c·x³)): ½·(1 + t) + ½·x·(1 − t²)·k·(1 + 3·c·x²), k = √(2/π), c = 0.044715.
    private static Value OfTanhGelu(Value x, GraphOps op)
    {
        var k = Math.Sqrt(2 / Math.PI);
        var square = op.Square(x);
        var t = op.Tanh(op.Mul(x, op.Add(op.Mul(square, 0.044715 * k), k)));
        var slope = op.Mul(op.Mul(x, op.Sub(1, op.Square(t))), op.Add(op.Mul(square, 1.5 * 0.044715 * k), 0.5 * k));
        return op.Add(op.Add(op.Mul(t, 0.5), 0.5), slope);
    }
}
