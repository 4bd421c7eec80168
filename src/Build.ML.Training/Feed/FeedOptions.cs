using System.Collections.Immutable;
using Build.ML.Training.Augmentations;

namespace Build.ML.Training.Feed;

/// <summary>How samples become batches.</summary>
public sealed record FeedOptions
{
    /// <summary>Samples in every batch, 1 or more.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Seed of order and augmentation.</summary>
    public long Seed { get; init; }

    /// <summary>Whether the order is another one in each epoch; else it is that of the data. Default true.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>
    /// For data that is slow to read out of order: only so many consecutive samples are mixed with each other, and the order of such
    /// windows too. Default 0: all with all.
    /// </summary>
    public int ShuffleWindow { get; init; }

    /// <summary>Applied to each sample one after the other; default none.</summary>
    public ImmutableArray<Augmentation> Augmentations { get; init; } = [];

    /// <summary>How samples of different shapes are padded; default null: all samples have one shape.</summary>
    public PaddingBuckets? Buckets { get; init; }

    /// <summary>How messages name the data, such as its name in the recipe.</summary>
    public string Name { get; init; } = "training data";
}
