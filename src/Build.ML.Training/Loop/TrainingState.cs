using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training;

/// <summary>The weights in training, for hooks.</summary>
public sealed class TrainingState
{
    private readonly WeightStore _store;

    internal TrainingState(WeightStore store, long steps) => (_store, Steps) = (store, steps);

    /// <summary>Number of the step, from 0.</summary>
    public long Step { get; internal set; }

    /// <summary>Steps of the whole run.</summary>
    public long Steps { get; }

    /// <summary>Learning rate of the step, before groups' multipliers.</summary>
    public double LearningRate { get; internal set; }

    /// <summary>What gradients are multiplied by in the step: 1 but for clipping and accumulation.</summary>
    public float GradientScale { get; internal set; } = 1;

    /// <summary>Names of the trained weights, in the order of the model's initializers.</summary>
    public ImmutableArray<string> Names => _store.Names;

    /// <summary>Whether a weight is trained.</summary>
    public bool IsTrained(string name) => _store.Find(name) is not null;

    /// <summary>A trained weight: of the step, or in <see cref="TrainingHook.Finish"/> of the result. May be changed in place.</summary>
    /// <param name="name">Name of the initializer.</param>
    /// <exception cref="KeyNotFoundException">It is not trained.</exception>
    public TensorBuffer Weights(string name) => _store.IsFinishing ? Of(name).Result : Of(name).Weights;

    /// <summary>The gradients of a trained weight, not yet multiplied by <see cref="GradientScale"/>.</summary>
    /// <param name="name">Name of the initializer.</param>
    /// <exception cref="KeyNotFoundException">It is not trained.</exception>
    public TensorBuffer Gradients(string name) => Of(name).Sum ?? Of(name).Gradients;

    private TrainedWeight Of(string name) => _store.Find(name) ?? throw new KeyNotFoundException($"'{name}' is not trained.");
}
