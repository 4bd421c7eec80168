using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Cross-entropy of independent yes-or-no questions: mean of p·y·softplus(−x) + (1 − y)·softplus(x) over all scores x, with y of 0 to 1 and p the weight of yes. A Sigmoid that ends the
/// model is seen through.
/// </summary>
[Loss("binary_cross_entropy")]
[Description("Cross-entropy of independent yes-or-no questions.")]
public sealed record BinaryCrossEntropy : Loss
{
    /// <summary>Weight of samples whose answer is yes, above 0: less than half of them yes asks for more. Default 1.</summary>
    [Range(1e-6, 1e6)]
    public double PositiveWeight { get; init; } = 1;

    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var x = context.Logits(Output, "Sigmoid");
        var y = context.Target(x.Sizes().AsSpan());
        var yes = op.Mul(op.Mul(y, op.Unary("Softplus", op.Neg(x))), PositiveWeight);
        var no = op.Mul(op.Sub(1, y), op.Unary("Softplus", x));
        return op.Mean(op.Add(yes, no));
    }
}
