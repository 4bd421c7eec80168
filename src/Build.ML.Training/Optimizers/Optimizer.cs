using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Build.ML.Training;

/// <summary>
/// How weights follow from gradients. A sealed record with <see cref="OptimizerAttribute"/> adds one; its public properties are its options.
/// </summary>
public abstract record Optimizer
{
    /// <summary>Learning rate, above 0; a schedule and groups multiply it. The default is the optimizer's own.</summary>
    [Range(0d, 1e6)]
    public double LearningRate { get; init; }

    /// <summary>
    /// Weight decay, 0 or more. Of <c>adamw</c> and <c>lion</c> a share of the weight itself (w ← w − lr·decay·w), of the others added to the gradient (g ← g + decay·w). Vectors,
    /// which are biases and the scales of normalizations, are not decayed unless the training's options say so. The default is the optimizer's own.
    /// </summary>
    [Range(0d, 1e6)]
    public double WeightDecay { get; init; }

    /// <summary>Numbers kept for each weight from step to step, all 0 at first.</summary>
    public abstract int StateCount { get; }

    /// <summary>
    /// Changes weights and states by one step. Element by element: it is called for pieces of a parameter in any order and by several threads at once.
    /// </summary>
    /// <remarks>
    /// Products and sums are to be rounded one by one, no fused multiply-add: then the width of a machine's vectors and what it can fuse change no bit.
    /// </remarks>
    /// <param name="chunk">Weights, gradients and states of the piece.</param>
    public abstract void Update(ParameterChunk chunk);

    /// <summary>
    /// 0 in place of numbers below 1.2e-38, which processors are up to a hundred times slower with: a moving average whose gradients have become 0, as behind a dead ReLU, would
    /// stay there for ever.
    /// </summary>
    /// <param name="x">Any numbers.</param>
    protected static Vector<float> FlushSubnormal(Vector<float> x) =>
        Vector.ConditionalSelect(Vector.LessThan(Vector.Abs(x), new Vector<float>(1.17549435e-38f)), Vector<float>.Zero, x);
}
