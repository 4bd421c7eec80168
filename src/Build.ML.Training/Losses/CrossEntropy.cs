using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Cross-entropy of a class among many: mean over the labels of −Σ t·log softmax(scores), with t = 1 − smoothing at the label plus smoothing / classes everywhere (label smoothing, Szegedy et
/// al. 2016, "Rethinking the Inception Architecture"). A Softmax or LogSoftmax that ends the model is seen through: the loss is of the scores that it takes.
/// </summary>
[Loss("cross_entropy")]
[Description("Cross-entropy of a class among many, with label smoothing.")]
public sealed record CrossEntropy : Loss
{
    /// <summary>Share of the target spread over all classes, 0 to below 1. Default 0.</summary>
    [Range(0d, 0.999)]
    public double Smoothing { get; init; }

    /// <summary>A label that stands for "unknown": such elements count for nothing. Default −100.</summary>
    public long IgnoreIndex { get; init; } = -100;

    /// <summary>Axis of the classes in the output, negative from the end. Default 1. Where it is the last of more than two, every position has a label of its own.</summary>
    [Range(-8, 8)]
    public int Axis { get; init; } = 1;

    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var scores = context.Logits(Output, "Softmax", "LogSoftmax");
        var rank = scores.Rank();
        var axis = Axis < 0 ? Axis + rank : Axis;
        if (rank < 2 || axis < 1 || axis >= rank)
        {
            throw LossErrors.Unfit("cross_entropy", scores, $"scores [batch, classes] or more dimensions, with the classes along axis {Axis}");
        }

        var sizes = scores.Sizes();
        var labels = context.ClassLabels(sizes[axis], IgnoreIndex, [.. sizes.RemoveAt(axis)]);
        if (axis == rank - 1)
        {
            scores = op.Reshape(scores, scores.Count() / sizes[axis], sizes[axis]);
            labels = op.Reshape(labels, scores.Size(0));
        }
        else if (axis != 1)
        {
            throw LossErrors.Unfit("cross_entropy", scores, "classes along axis 1 or the last one");
        }

        return Of(op, scores, labels, IgnoreIndex, Smoothing);
    }

    /// <summary>The loss of scores [N, classes, …] and labels [N, …].</summary>
    internal static Value Of(GraphOps op, Value scores, Value labels, long ignored, double smoothing)
    {
        // The mean of no labels would be 0/0: where a sample has many labels, a batch of unknown ones occurs and has the loss 0.
        var known = op.Cast(op.Node("Not", [op.Compare("Equal", labels, op.Scalar(ignored, Graph.DataType.Int64))]), Graph.DataType.Float);
        var count = op.Max(op.Total(known), op.Scalar(1));
        var outputs = op.Nodes("SoftmaxCrossEntropyLoss", [scores, labels], 2, NodeAttribute.Int("ignore_index", ignored), NodeAttribute.String("reduction", "sum"));
        var ofLabels = op.Div(outputs[0], count);
        if (smoothing == 0)
        {
            return ofLabels;
        }

        // −Σ log p / classes of each label that counts.
        var uniform = op.Div(op.Total(op.Mul(op.Neg(op.ReduceMean(outputs[1], [1], keep: false)), known)), count);
        return op.Add(op.Mul(ofLabels, 1 - smoothing), op.Mul(uniform, smoothing));
    }
}
