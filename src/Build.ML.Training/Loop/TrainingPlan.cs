using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>What a <see cref="Trainer"/> is to do: a technique makes it of its options.</summary>
public sealed record TrainingPlan
{
    /// <summary>Data, duration, optimizer, validation.</summary>
    public required TrainingOptions Options { get; init; }

    /// <summary>What is made small: the sum of each times its weight. One or more.</summary>
    public required ImmutableArray<Loss> Losses { get; init; }

    /// <summary>
    /// Which weights are trained, asked of every float initializer; those that <see cref="TrainingOptions.Frozen"/> names are not. Default: <see cref="TrainableWeights.IsWeight"/>.
    /// </summary>
    public Func<Value, bool> Trainable { get; init; } = TrainableWeights.IsWeight;

    /// <summary>Models whose values losses may ask for; run on the same batches. Not changed, not disposed. Default none.</summary>
    public ImmutableArray<Model> Teachers { get; init; } = [];

    /// <summary>Called around each step, in order. Default none.</summary>
    public ImmutableArray<TrainingHook> Hooks { get; init; } = [];

    /// <summary>What progress messages call the training, such as <c>training</c> (default) or <c>distilling</c>.</summary>
    public string Phase { get; init; } = "training";
}
