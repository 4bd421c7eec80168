using System.Collections.Immutable;
using Build.ML.Graph;

namespace Build.ML.Autodiff;

/// <summary>A weight that is trained.</summary>
/// <param name="Name">Initializer of the forward model, or a Constant node's output.</param>
/// <param name="Input">Input of the training model that takes its present value.</param>
/// <param name="Gradient">Output of the training model: dL/dw.</param>
/// <param name="Sizes">Sizes of all three.</param>
public sealed record TrainableParameter(string Name, string Input, string Gradient, ImmutableArray<long> Sizes);

/// <summary>A weight that follows a statistic: after each step w ← momentum·w + (1 − momentum)·output.</summary>
/// <param name="Name">Initializer of the forward model, such as a running mean.</param>
/// <param name="Output">Output of the training model.</param>
/// <param name="Momentum">0 to 1.</param>
/// <param name="Sizes">Sizes of both.</param>
public sealed record TrainedState(string Name, string Output, float Momentum, ImmutableArray<long> Sizes);

/// <summary>An input of random numbers, drawn anew for each step: 1/keep with probability keep, else 0.</summary>
/// <param name="Input">Input of the training model, float.</param>
/// <param name="Sizes">Its sizes.</param>
/// <param name="KeepProbability">Above 0, at most 1.</param>
public sealed record RandomInput(string Input, ImmutableArray<long> Sizes, float KeepProbability);

/// <summary>One static-shape graph that computes a loss and its gradients: parameters and a batch in, loss, gradients and statistics out.</summary>
public sealed record TrainingModel : IDisposable
{
    /// <summary>The graph. Its inputs are <see cref="Parameters"/>, <see cref="Random"/> and <see cref="Data"/>.</summary>
    public required Model Model { get; init; }

    /// <summary>The weights trained, in the order of the forward model's initializers. Weights that do not reach the loss are left out.</summary>
    public required ImmutableArray<TrainableParameter> Parameters { get; init; }

    /// <summary>Weights that follow statistics of the batch.</summary>
    public required ImmutableArray<TrainedState> States { get; init; }

    /// <summary>Random inputs (dropout).</summary>
    public required ImmutableArray<RandomInput> Random { get; init; }

    /// <summary>What else is fed at each step: inputs of the forward model that are used, and what the loss added, with static shapes.</summary>
    public required ImmutableArray<KeyValuePair<string, TensorType>> Data { get; init; }

    /// <summary>Output with the loss: a float scalar.</summary>
    public required string Loss { get; init; }

    /// <summary>Other values that were asked for, by the names they were asked under, which are outputs.</summary>
    public required ImmutableArray<KeyValuePair<string, TensorType>> Extra { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
