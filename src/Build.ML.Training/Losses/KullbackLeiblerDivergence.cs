using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// How far the model's probabilities are from the teacher's, both softened (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network"):
/// T²·mean over positions of Σ p·(log p − log q) with p = softmax(teacher / T), q = softmax(model / T); the factor keeps gradients of one size whatever T is. Of several teachers, p is the mean.
/// A Softmax that ends a model is seen through.
/// </summary>
[Loss("kl_divergence")]
[Description("Divergence from a teacher's softened probabilities.")]
public sealed record KullbackLeiblerDivergence : Loss
{
    /// <summary>Temperature T, above 0: the higher, the more the teacher's small probabilities count. Default 4.</summary>
    [Range(0.01, 1000d)]
    public double Temperature { get; init; } = 4;

    /// <summary>Axis of the classes, negative from the end. Default −1.</summary>
    [Range(-8, 8)]
    public int Axis { get; init; } = -1;

    /// <summary>Name of the teachers' output. Default: the first.</summary>
    public string? TeacherOutput { get; init; }

    /// <inheritdoc/>
    public override Value Build(LossContext context)
    {
        var op = context.Op;
        var student = context.Logits(Output, "Softmax", "LogSoftmax");
        var axis = NodeAttribute.Int("axis", Axis < 0 ? Axis + student.Rank() : Axis);
        Value? p = null;
        for (var t = 0; t < Math.Max(1, context.TeacherCount); t++)
        {
            var teacher = context.TeacherLogits(TeacherOutput, t, "Softmax", "LogSoftmax");
            if (!teacher.Sizes().AsSpan().SequenceEqual(student.Sizes().AsSpan()))
            {
                throw LossErrors.Differ("kl_divergence", student, teacher);
            }

            var own = op.Node("Softmax", [op.Div(teacher, Temperature)], axis);
            p = p is null ? own : op.Add(p, own);
        }

        p = op.Div(p!, Math.Max(1, context.TeacherCount));
        var logQ = op.Node("LogSoftmax", [op.Div(student, Temperature)], axis);

        // p·log p is 0 where p is: without the floor it would be 0·−∞.
        var logP = op.Log(op.Max(p, op.Scalar(1e-30)));
        var positions = student.Count() / student.Size((int)(Axis < 0 ? Axis + student.Rank() : Axis));
        return op.Mul(op.Total(op.Mul(p, op.Sub(logP, logQ))), Temperature * Temperature / positions);
    }
}
