namespace Build.ML.Training.Random;

/// <summary>
/// What random numbers of one seed are for, so that two uses never share a number: the stream of a <see cref="CounterRandom"/>.
/// </summary>
public static class RandomStream
{
    /// <summary>Order of samples; forked by epoch.</summary>
    public const long Order = 1;

    /// <summary>Augmentation; forked by epoch, sample, repetition in the epoch and place in the list of augmentations.</summary>
    public const long Augmentation = 2;

    /// <summary>Dropout masks; forked by step and layer.</summary>
    public const long Dropout = 3;

    /// <summary>First values of weights; forked by weight.</summary>
    public const long Initialization = 4;

    /// <summary>Weights moved at random to see what it does to the loss; forked by layer, and by batch and repetition.</summary>
    public const long Perturbation = 5;
}
