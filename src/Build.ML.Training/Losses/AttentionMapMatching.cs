using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Mean squared difference between attention scores of the model and of the teacher (Jiao et al. 2020, "TinyBERT"), [batch, heads, queries, keys] before the Softmax; scores of −100 or less,
/// which mask positions, count as 0 in both.
/// </summary>
[Loss("attention_maps")]
[Description("Mean squared difference to a teacher's attention scores.")]
public sealed record AttentionMapMatching : PairLoss
{
    private protected override string Name => "attention_maps";

    private protected override Value Distance(GraphOps op, Value student, Value teacher) => MeanSquaredError.Of(op, Unmasked(op, student), Unmasked(op, teacher));

    private static Value Unmasked(GraphOps op, Value scores) => op.Where(op.Compare("Greater", scores, op.Scalar(-100)), scores, op.Scalar(0));
}
