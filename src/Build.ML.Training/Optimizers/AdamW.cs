using System.ComponentModel;

namespace Build.ML.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization"): before the step w ← (1 − lr·decay)·w.</summary>
[Optimizer("adamw")]
[Description("Adam with decoupled weight decay.")]
public sealed record AdamW : AdaptiveMoments
{
    /// <summary>Learning rate 0.001, weight decay 0.01.</summary>
    public AdamW()
    {
        LearningRate = 1e-3;
        WeightDecay = 0.01;
    }

    private protected override bool DecoupledDecay => true;
}
