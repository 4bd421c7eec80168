using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Training.Augmentations;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>What all techniques that learn have in common: data, duration, optimizer, regularization, validation. Techniques derive their options from it.</summary>
public record TrainingOptions : IValidatableObject
{
    /// <summary>The data to learn from.</summary>
    public required DataReference Data { get; init; }

    /// <summary>How often every sample is seen, above 0; may be broken. Default 1. Not used with <c>steps</c>.</summary>
    [Range(1e-6, 1e6)]
    public double Epochs { get; init; } = 1;

    /// <summary>Number of updates of the weights, 1 or more, in place of <c>epochs</c>.</summary>
    [Range(1, long.MaxValue)]
    public long? Steps { get; init; }

    /// <summary>Samples in a batch, 1 or more. Default 32.</summary>
    [Range(1, 1 << 20)]
    public int BatchSize { get; init; } = 32;

    /// <summary>Batches whose gradients are averaged for one update, 1 or more: a larger batch than memory holds. Default 1.</summary>
    [Range(1, 1 << 20)]
    public int Accumulate { get; init; } = 1;

    /// <summary>How weights follow from gradients. Default <c>adamw</c>.</summary>
    public Optimizer Optimizer { get; init; } = new AdamW();

    /// <summary>How the learning rate changes over the run. Default <c>constant</c>.</summary>
    public LearningRateSchedule Schedule { get; init; } = new ConstantSchedule();

    /// <summary>Parameters that learn at another pace or are decayed otherwise; a parameter belongs to the first that fits. Default none.</summary>
    public ImmutableArray<ParameterGroup> Groups { get; init; } = [];

    /// <summary>Whether weight decay also acts on vectors: biases and the scales of normalizations. Default false.</summary>
    public bool DecayVectors { get; init; }

    /// <summary>Gradients whose Euclidean norm, over all parameters together, is greater are scaled down to it (Pascanu, Mikolov and Bengio 2013). Above 0. Default: no limit.</summary>
    [Range(1e-12, 1e12)]
    public double? ClipNorm { get; init; }

    /// <summary>
    /// Share of a moving average of the weights kept in each step, 0 to below 1, such as 0.999; the result is the average, which as a rule does better than the last weights (Polyak and
    /// Juditsky 1992). Early on it is at most (1 + t)/(10 + t), so that the first weights are forgotten. Default: none is kept.
    /// </summary>
    [Range(0d, 0.9999999)]
    public double? Average { get; init; }

    /// <summary>Globs over names of weights (initializers) that stay as they are. Default none.</summary>
    public ImmutableArray<string> Frozen { get; init; } = [];

    /// <summary>Whether batch normalization keeps its running statistics as they are and uses them, instead of the batch's: for small batches. Default false.</summary>
    public bool FreezeStatistics { get; init; }

    /// <summary>Whether Dropout nodes drop while training. Default true.</summary>
    public bool Dropout { get; init; } = true;

    /// <summary>
    /// Megabytes of activations to hold at once, above 0; beyond that parts of the network are computed a second time when their gradients need them (Chen et al. 2016, "Training Deep Nets with
    /// Sublinear Memory Cost"), which costs up to a third more time. Default: no limit.
    /// </summary>
    [Range(1e-3, 1e9)]
    public double? ActivationMemory { get; init; }

    /// <summary>Changes samples at random, one after the other. Default none.</summary>
    public ImmutableArray<Augmentation> Augment { get; init; } = [];

    /// <summary>How samples of different lengths are padded. Default: all samples have one shape.</summary>
    public PaddingBuckets? Buckets { get; init; }

    /// <summary>For data that is slow to read out of order: only so many consecutive samples are mixed with each other. Default 0: all.</summary>
    [Range(0, int.MaxValue)]
    public int ShuffleWindow { get; init; }

    /// <summary>Data to validate on: the result is the weights that did best on it. Default none: the last ones.</summary>
    public DataReference? Validation { get; init; }

    /// <summary>A metric under <c>evaluate:</c> to validate by, such as <c>accuracy</c>. Default: the loss.</summary>
    public MetricReference? Metric { get; init; }

    /// <summary>Epochs from one validation to the next, above 0; the end is always validated. Default 1.</summary>
    [Range(1e-6, 1e6)]
    public double ValidateEvery { get; init; } = 1;

    /// <summary>Validations in a row that may be no better than the best before training stops early; 1 or more. Default: it goes on to the end.</summary>
    [Range(1, 1 << 20)]
    public int? Patience { get; init; }

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Validation is null && Metric is not null)
        {
            yield return new("'metric' needs data to be taken on: name it as 'validation'.", [nameof(Metric)]);
        }

        if (Validation is null && Patience is not null)
        {
            yield return new("'patience' needs data to validate on: name it as 'validation'.", [nameof(Patience)]);
        }
    }
}
