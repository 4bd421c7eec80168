using System.Numerics;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training;

/// <summary>A piece of a parameter, and what one step does to it.</summary>
public readonly ref struct ParameterChunk
{
    private readonly ReadOnlySpan<TensorBuffer> _states;
    private readonly int _first;

    internal ParameterChunk(TensorBuffer weights, TensorBuffer gradients, ReadOnlySpan<TensorBuffer> states, int first, int count)
    {
        _states = states;
        _first = first;
        Weights = weights.Vectors<float>().Slice(first, count);
        Gradients = gradients.Vectors<float>().Slice(first, count);
    }

    /// <summary>Weights, to be changed in place.</summary>
    public Span<Vector<float>> Weights { get; }

    /// <summary>Gradients, each to be multiplied by <see cref="GradientScale"/>; as many as weights.</summary>
    public ReadOnlySpan<Vector<float>> Gradients { get; }

    /// <summary>1 but for clipping (less) and accumulation (one over the number of batches).</summary>
    public required float GradientScale { get; init; }

    /// <summary>Learning rate of this step for this parameter.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Weight decay of this parameter.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>Number of this update, from 1.</summary>
    public required long Step { get; init; }

    /// <summary>State <paramref name="index"/> of the same elements, to be changed in place; 0 before the first step.</summary>
    /// <param name="index">0 to <see cref="Optimizer.StateCount"/> − 1.</param>
    public Span<Vector<float>> State(int index) => _states[index].Vectors<float>().Slice(_first, Weights.Length);
}
