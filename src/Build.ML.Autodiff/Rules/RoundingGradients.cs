namespace Build.ML.Autodiff.Rules;

/// <summary>Operators that are constant between steps, and the remainder.</summary>
[Gradients]
public sealed class RoundingGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public RoundingGradients()
    {
        Zero("Floor", "Ceil", "Round", "Sign", "Hardmax");
        // x − z·q with q whole: dz = −q.
        Rule("Mod", (n, g, op) => [g, n.Needs(1) ? op.Neg(op.Mul(g, op.Unary("Round", op.Div(op.Sub(n.X, n.Y), n.Input(1))))) : null]);
    }
}
