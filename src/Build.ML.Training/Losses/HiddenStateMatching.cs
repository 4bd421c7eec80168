using System.ComponentModel;
using Build.ML.Autodiff;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Mean squared difference between hidden states of the model and of the teacher (Jiao et al. 2020, "TinyBERT"; Romero et al. 2015, "FitNets"). Sizes must agree; distill.features learns
/// projections where they do not.
/// </summary>
[Loss("hidden_states")]
[Description("Mean squared difference to a teacher's hidden states.")]
public sealed record HiddenStateMatching : PairLoss
{
    private protected override string Name => "hidden_states";

    private protected override Value Distance(GraphOps op, Value student, Value teacher) => MeanSquaredError.Of(op, student, teacher);
}
