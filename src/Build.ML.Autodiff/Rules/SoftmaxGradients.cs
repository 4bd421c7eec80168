namespace Build.ML.Autodiff.Rules;

/// <summary>Softmax and its logarithm along an axis.</summary>
[Gradients]
public sealed class SoftmaxGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public SoftmaxGradients()
    {
        Rule("Softmax", (n, g, op) =>
        {
            // y·(g − Σ g·y)
            var product = op.Mul(g, n.Y);
            return [op.Sub(product, op.Mul(n.Y, op.ReduceSum(product, [n.Axis("axis", -1)])))];
        });
        Rule("LogSoftmax", (n, g, op) => [op.Sub(g, op.Mul(op.Exp(n.Y), op.ReduceSum(g, [n.Axis("axis", -1)])))]);
    }
}
