using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training;

/// <summary>A parameter while it learns: all that belongs to it lies in native memory and is changed in place.</summary>
/// <param name="name">Name of the initializer.</param>
/// <param name="weights">Weights; bound to the training session and others.</param>
/// <param name="gradients">Gradients; written by the training session.</param>
internal sealed class TrainedWeight(string name, TensorBuffer weights, TensorBuffer gradients) : IDisposable
{
    /// <summary>Name of the initializer.</summary>
    public string Name => name;

    /// <summary>Weights.</summary>
    public TensorBuffer Weights => weights;

    /// <summary>Gradients of the last batch.</summary>
    public TensorBuffer Gradients => gradients;

    /// <summary>Sum of gradients over batches; null where each batch is a step.</summary>
    public TensorBuffer? Sum { get; init; }

    /// <summary>The optimizer's states.</summary>
    public ImmutableArray<TensorBuffer> States { get; init; } = [];

    /// <summary>Moving average of the weights; null where none is kept.</summary>
    public TensorBuffer? Average { get; init; }

    /// <summary>What the result is made of and validated: the average where one is kept.</summary>
    public TensorBuffer Result => Average ?? weights;

    /// <summary>What the learning rate is multiplied by.</summary>
    public double RateMultiplier { get; init; } = 1;

    /// <summary>Weight decay.</summary>
    public double WeightDecay { get; init; }

    /// <summary>All that survives from step to step, in an order that checkpoints rely on.</summary>
    public IEnumerable<TensorBuffer> Lasting => [weights, .. States, .. Average is null ? Array.Empty<TensorBuffer>() : [Average]];

    /// <inheritdoc/>
    public void Dispose()
    {
        weights.Dispose();
        gradients.Dispose();
        Sum?.Dispose();
        Average?.Dispose();
        foreach (var state in States)
        {
            state.Dispose();
        }
    }
}
