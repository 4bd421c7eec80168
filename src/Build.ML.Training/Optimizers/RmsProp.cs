using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Build.ML.Training;

/// <summary>
/// RMSprop (Tieleman and Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"): d = g + decay·w, v ← α·v + (1 − α)·d², b ← μ·b + d / (√v + ε), w ← w − lr·b.
/// </summary>
[Optimizer("rmsprop")]
[Description("RMSprop: steps scaled by a moving average of the squared gradient.")]
public sealed record RmsProp : Optimizer
{
    /// <summary>Learning rate 0.01, no weight decay.</summary>
    public RmsProp() => LearningRate = 0.01;

    /// <summary>Share α of the mean of squared gradients kept in a step, 0 to below 1. Default 0.99.</summary>
    [Range(0d, 0.99999999)]
    public double Alpha { get; init; } = 0.99;

    /// <summary>Momentum μ, 0 to below 1. Default 0.</summary>
    [Range(0d, 0.99999)]
    public double Momentum { get; init; }

    /// <summary>Added to the root, above 0. Default 1e-8.</summary>
    [Range(1e-30, 1d)]
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override int StateCount => 2;

    /// <inheritdoc/>
    public override void Update(ParameterChunk chunk)
    {
        var weights = chunk.Weights;
        var gradients = chunk.Gradients;
        var squares = chunk.State(0);
        var velocities = chunk.State(1);
        var scale = new Vector<float>(chunk.GradientScale);
        var rate = new Vector<float>((float)chunk.LearningRate);
        var decay = new Vector<float>((float)chunk.WeightDecay);
        var alpha = new Vector<float>((float)Alpha);
        var rest = new Vector<float>((float)(1 - Alpha));
        var momentum = new Vector<float>((float)Momentum);
        var epsilon = new Vector<float>((float)Epsilon);
        for (var i = 0; i < weights.Length; i++)
        {
            var d = gradients[i] * scale + decay * weights[i];
            var v = FlushSubnormal(alpha * squares[i] + rest * (d * d));
            var b = FlushSubnormal(momentum * velocities[i] + d / (Vector.SquareRoot(v) + epsilon));
            squares[i] = v;
            velocities[i] = b;
            weights[i] -= rate * b;
        }
    }
}
