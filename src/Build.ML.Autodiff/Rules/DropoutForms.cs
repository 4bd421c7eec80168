namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Dropout (Srivastava et al., 2014) in training: a product with a fed random tensor whose elements are 1/keep with probability keep, else 0, whatever the node's training_mode says: exporters
/// write it false. With <see cref="TrainingModelOptions.Dropout"/> off it passes its input on.
/// </summary>
[Gradients]
public sealed class DropoutForms : GradientTable
{
    /// <summary>Names the form.</summary>
    public DropoutForms() => Form("Dropout", (n, op) =>
    {
        var ratio = n.Number(1, 0.5);
        if (!op.Dropout || ratio <= 0)
        {
            return [n.X, IsRead(n) ? op.Compare("Equal", n.X, n.X) : null];
        }

        var random = op.Random((float)(1 - ratio), n.X.Sizes().AsSpan());
        return [op.Mul(n.X, op.Cast(random, n.X.ElementType)), IsRead(n) ? op.Compare("Greater", random, op.Scalar(0)) : null];
    });

    private static bool IsRead(Forward n) => n.Output(1) is { IsUnused: false };
}
