using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Build.ML.Training;

/// <summary>
/// Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): w ← (1 − lr·decay)·w − lr·sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g. Half the state of Adam;
/// wants a learning rate three to ten times lower and a weight decay as much higher.
/// </summary>
[Optimizer("lion")]
[Description("Lion: steps by the sign of a moving average.")]
public sealed record Lion : Optimizer
{
    /// <summary>Learning rate 0.0001, no weight decay.</summary>
    public Lion() => LearningRate = 1e-4;

    /// <summary>Share β₁ of the moving average in a step, 0 to below 1. Default 0.9.</summary>
    [Range(0d, 0.99999999)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Share β₂ of the moving average kept, 0 to below 1. Default 0.99.</summary>
    [Range(0d, 0.99999999)]
    public double Beta2 { get; init; } = 0.99;

    /// <inheritdoc/>
    public override int StateCount => 1;

    /// <inheritdoc/>
    public override void Update(ParameterChunk chunk)
    {
        var weights = chunk.Weights;
        var gradients = chunk.Gradients;
        var means = chunk.State(0);
        var scale = new Vector<float>(chunk.GradientScale);
        var keep = new Vector<float>((float)(1 - chunk.LearningRate * chunk.WeightDecay));
        var rate = new Vector<float>((float)chunk.LearningRate);
        var beta1 = new Vector<float>((float)Beta1);
        var rest1 = new Vector<float>((float)(1 - Beta1));
        var beta2 = new Vector<float>((float)Beta2);
        var rest2 = new Vector<float>((float)(1 - Beta2));
        for (var i = 0; i < weights.Length; i++)
        {
            var g = gradients[i] * scale;
            var direction = beta1 * means[i] + rest1 * g;
            var step = Vector.ConditionalSelect(Vector.Equals(direction, Vector<float>.Zero), Vector<float>.Zero, Vector.CopySign(rate, direction));
            weights[i] = keep * weights[i] - step;
            means[i] = FlushSubnormal(beta2 * means[i] + rest2 * g);
        }
    }
}
