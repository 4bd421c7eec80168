using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Activations of fewer networks than those in <see cref="ActivationGradients"/>.</summary>
[Gradients]
public sealed class RareActivationGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public RareActivationGradients()
    {
        Rule("LeakyRelu", (n, g, op) =>
        {
            var slope = n.Float("alpha", 0.01f);
            return [op.Mul(g, op.Add(op.Mul(op.Positive(n.X), 1 - slope), slope))];
        });
        Rule("PRelu", (n, g, op) =>
        [
            n.Needs(0) ? op.Mul(g, op.Where(IsPositive(n.X, op), op.Scalar(1, n.X.ElementType), n.Input(1))) : null,
            n.Needs(1) ? op.Mul(g, op.Min(n.X, op.Scalar(0, n.X.ElementType))) : null,
        ]);
        Rule("ThresholdedRelu", (n, g, op) => [op.Keep(op.Compare("Greater", n.X, op.Scalar(n.Float("alpha", 1), n.X.ElementType)), g)]);
        Rule("Shrink", (n, g, op) => [op.Keep(op.Compare("Greater", op.Abs(n.X), op.Scalar(n.Float("lambd", 0.5f), n.X.ElementType)), g)]);
        // Below 0: α·(eˣ − 1), whose derivative α·eˣ is y + α; so are those of the two that follow.
        Rule("Elu", (n, g, op) => [op.Mul(g, Slope(n.X, 1, op.Add(n.Y, n.Float("alpha", 1)), op))]);
        Rule("Selu", (n, g, op) =>
        {
            var gamma = n.Float("gamma", 1.05070102214813232421875f);
            return [op.Mul(g, Slope(n.X, gamma, op.Add(n.Y, gamma * n.Float("alpha", 1.67326319217681884765625f)), op))];
        });
        Rule("Celu", (n, g, op) => [op.Mul(g, Slope(n.X, 1, op.Add(op.Div(n.Y, n.Float("alpha", 1)), 1), op))]);
        Rule("Softplus", (n, g, op) => [op.Mul(g, op.Sigmoid(n.X))]);
        Rule("Softsign", (n, g, op) => [op.Div(g, op.Square(op.Add(op.Abs(n.X), 1)))]);
        Rule("HardSigmoid", (n, g, op) =>
        {
            var type = n.X.ElementType;
            var inside = op.Compare("And", op.Compare("Greater", n.Y, op.Scalar(0, type)), op.Compare("Less", n.Y, op.Scalar(1, type)));
            return [op.Keep(inside, op.Mul(g, n.Float("alpha", 0.2f)))];
        });
        Rule("HardSwish", (n, g, op) =>
        {
            // x·h(x) with h = clip(x/6 + ½, 0, 1), whose slope is 1/6 between −3 and 3.
            var gate = op.Node("HardSigmoid", [n.X], NodeAttribute.Float("alpha", 1f / 6), NodeAttribute.Float("beta", 0.5f));
            var inside = op.Compare("Less", op.Abs(n.X), op.Scalar(3, n.X.ElementType));
            return [op.Mul(g, op.Add(gate, op.Keep(inside, op.Div(n.X, 6))))];
        });
        Rule("Mish", (n, g, op) =>
        {
            // x·t with t = tanh(softplus(x)): t + x·(1 − t²)·σ(x) (Misra, Mish, 2019)
            var t = op.Tanh(op.Unary("Softplus", n.X));
            return [op.Mul(g, op.Add(t, op.Mul(op.Mul(n.X, op.Sub(1, op.Square(t))), op.Sigmoid(n.X))))];
        });
    }

    private static Value IsPositive(Value x, GraphOps op) => op.Compare("Greater", x, op.Scalar(0, x.ElementType));

    private static Value Slope(Value x, double above, Value below, GraphOps op) => op.Where(IsPositive(x, op), op.Scalar(above, x.ElementType), below);
}
