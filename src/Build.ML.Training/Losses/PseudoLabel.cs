using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Cross-entropy of the class that the model itself finds most likely (Lee 2013, "Pseudo-Label"): mean of −log max softmax(scores), with the class held fixed. For data without labels, such as
/// importances that are taken from gradients. A Softmax or LogSoftmax that ends the model is seen through.
/// </summary>
[Loss("pseudo_label")]
[Description("Cross-entropy of the class that the model itself finds most likely: needs no labels.")]
public sealed record PseudoLabel : Loss
{
    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var scores = context.Logits(Output, "Softmax", "LogSoftmax");
        if (scores.Rank() < 2)
        {
            throw LossErrors.Unfit("pseudo_label", scores, "scores [batch, …, classes]");
        }

        var classes = scores.Size(-1);
        var rows = op.Reshape(scores, scores.Count() / classes, classes);
        var labels = op.Node("ArgMax", [rows], NodeAttribute.Int("axis", 1), NodeAttribute.Int("keepdims", 0));
        return op.Node("SoftmaxCrossEntropyLoss", [rows, labels], NodeAttribute.String("reduction", "mean"));
    }
}
