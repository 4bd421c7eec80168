using System.ComponentModel;

namespace Build.ML.Training;

/// <summary>Adam (Kingma and Ba 2015); weight decay adds to the gradient.</summary>
[Optimizer("adam")]
[Description("Adam: steps scaled by moving averages of the gradient and its square.")]
public sealed record Adam : AdaptiveMoments
{
    /// <summary>Learning rate 0.001, no weight decay.</summary>
    public Adam() => LearningRate = 1e-3;

    private protected override bool DecoupledDecay => false;
}
