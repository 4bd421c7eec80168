using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Operators whose result is one of their inputs: the gradient goes to the one it is.</summary>
[Gradients]
public sealed class ChoiceGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ChoiceGradients()
    {
        Rule("Abs", (n, g, op) => [op.Mul(g, op.Sign(n.X))]);
        Rule("Where", (n, g, op) =>
        {
            var first = n.Needs(1) ? op.Keep(n.X, g) : null;
            return [null, first, !n.Needs(2) ? null : first is null ? op.Keep(op.Unary("Not", n.X), g) : op.Sub(g, first)];
        });
        Rule("Clip", (n, g, op) =>
        {
            if (op.Kernels.Contains("ReluGradient") && n.X.ElementType == DataType.Float && Bound(n, 1) is { } low && Bound(n, 2) is { } high)
            {
                return [op.Kernel("ReluGradient", [g, n.Y], [n.Y.Sizes()], NodeAttribute.Float("low", low), NodeAttribute.Float("high", high))[0]];
            }

            var x = n.Needs(0) ? op.Keep(op.Compare("Equal", n.X, n.Y), g) : null;
            return
            [
                x,
                n.Needs(1) ? op.Keep(op.Compare("Less", n.X, n.Input(1)), g) : null,
                n.Needs(2) ? op.Keep(op.Compare("Greater", n.X, n.Input(2)), g) : null,
            ];
        });
        Rule(["Max", "Min"], (n, g, op) =>
        {
            // Of equal ones the first has it all.
            var gradients = new Value?[n.InputCount];
            for (var i = 0; i < gradients.Length; i++)
            {
                gradients[i] = i == gradients.Length - 1 ? g : op.Keep(op.Compare("Equal", n.Input(i), n.Y), g);
                g = i == gradients.Length - 1 ? g : op.Sub(g, gradients[i]!);
            }

            return gradients;
        });
    }

    // A bound of Clip: infinite where it is left out, null where it is computed.
    private static float? Bound(Forward n, int index) => !n.Has(index) ? (index == 1 ? float.NegativeInfinity : float.PositiveInfinity)
        : n.Input(index).Constant is { } tensor ? tensor.ToArray<float>()[0] : null;
}
