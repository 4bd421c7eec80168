using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Build.ML.Training;

/// <summary>
/// Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013): d = g + decay·w, b ← μ·b + d, w ← w − lr·b, or with Nesterov's
/// momentum w ← w − lr·(d + μ·b).
/// </summary>
[Optimizer("sgd")]
[Description("Stochastic gradient descent with momentum.")]
public sealed record GradientDescent : Optimizer
{
    /// <summary>Learning rate 0.1, no weight decay.</summary>
    public GradientDescent() => LearningRate = 0.1;

    /// <summary>Momentum μ, 0 to below 1. Default 0.9.</summary>
    [Range(0d, 0.99999)]
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether the momentum is Nesterov's. Default false.</summary>
    public bool Nesterov { get; init; }

    /// <inheritdoc/>
    public override int StateCount => Momentum > 0 ? 1 : 0;

    /// <inheritdoc/>
    public override void Update(ParameterChunk chunk)
    {
        var weights = chunk.Weights;
        var gradients = chunk.Gradients;
        var scale = new Vector<float>(chunk.GradientScale);
        var rate = new Vector<float>((float)chunk.LearningRate);
        var decay = new Vector<float>((float)chunk.WeightDecay);
        if (Momentum == 0)
        {
            for (var i = 0; i < weights.Length; i++)
            {
                weights[i] -= rate * (gradients[i] * scale + decay * weights[i]);
            }

            return;
        }

        var velocities = chunk.State(0);
        var momentum = new Vector<float>((float)Momentum);
        for (var i = 0; i < weights.Length; i++)
        {
            var d = gradients[i] * scale + decay * weights[i];
            var b = FlushSubnormal(momentum * velocities[i] + d);
            velocities[i] = b;
            weights[i] -= rate * (Nesterov ? d + momentum * b : b);
        }
    }
}
