using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Build.ML.Training;

/// <summary>
/// What Adam and AdamW share (Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization"): m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g²,
/// w ← w − lr·m̂ / (√v̂ + ε) with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ).
/// </summary>
public abstract record AdaptiveMoments : Optimizer
{
    /// <summary>Share β₁ of the mean of gradients kept in a step, 0 to below 1. Default 0.9.</summary>
    [Range(0d, 0.99999999)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Share β₂ of the mean of squared gradients kept in a step, 0 to below 1. Default 0.999.</summary>
    [Range(0d, 0.99999999)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment, above 0. Default 1e-8.</summary>
    [Range(1e-30, 1d)]
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public sealed override int StateCount => 2;

    /// <summary>Whether decay shrinks the weight itself instead of adding to the gradient.</summary>
    private protected abstract bool DecoupledDecay { get; }

    /// <inheritdoc/>
    public sealed override void Update(ParameterChunk chunk)
    {
        var weights = chunk.Weights;
        var gradients = chunk.Gradients;
        var means = chunk.State(0);
        var squares = chunk.State(1);
        var scale = new Vector<float>(chunk.GradientScale);
        var coupled = new Vector<float>(DecoupledDecay ? 0f : (float)chunk.WeightDecay);
        var keep = new Vector<float>(DecoupledDecay ? (float)(1 - chunk.LearningRate * chunk.WeightDecay) : 1f);
        var beta1 = new Vector<float>((float)Beta1);
        var rest1 = new Vector<float>((float)(1 - Beta1));
        var beta2 = new Vector<float>((float)Beta2);
        var rest2 = new Vector<float>((float)(1 - Beta2));
        var epsilon = new Vector<float>((float)Epsilon);
        var rate = new Vector<float>((float)(chunk.LearningRate / (1 - Math.Pow(Beta1, chunk.Step))));
        var root = new Vector<float>((float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, chunk.Step))));
        for (var i = 0; i < weights.Length; i++)
        {
            var w = weights[i];
            var g = gradients[i] * scale + coupled * w;
            var m = FlushSubnormal(beta1 * means[i] + rest1 * g);
            var v = FlushSubnormal(beta2 * squares[i] + rest2 * (g * g));
            means[i] = m;
            squares[i] = v;
            weights[i] = keep * w - rate * m / (Vector.SquareRoot(v) * root + epsilon);
        }
    }
}
