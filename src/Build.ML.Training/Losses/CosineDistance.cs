using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// 1 − cosine of the angle between the model's vectors and the teacher's along the last axis, the mean over all of them (as DistilBERT does, Sanh et al. 2019): directions matter, lengths do not.
/// </summary>
[Loss("cosine")]
[Description("Cosine distance to a teacher's vectors.")]
public sealed record CosineDistance : PairLoss
{
    private protected override string Name => "cosine";

    private protected override Value Distance(GraphOps op, Value student, Value teacher)
    {
        var dot = op.ReduceSum(op.Mul(student, teacher), [student.Rank() - 1], keep: false);
        return op.Sub(1, op.Mean(op.Div(dot, op.Mul(Length(op, student), Length(op, teacher)))));
    }

    // The root of 0 has no gradient: a vector of zeros counts as one of length 1e-6.
    private static Value Length(GraphOps op, Value a) => op.Sqrt(op.Add(op.ReduceSum(op.Square(a), [a.Rank() - 1], keep: false), 1e-12));
}
