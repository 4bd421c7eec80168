using System.ComponentModel.DataAnnotations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>
/// Changes a training image at random so that its label stays right, after the reader has normalized it; the image keeps its sizes. The
/// record is its own options. What an image becomes
/// depends on (seed, epoch, sample) alone, not on threads, batches or resumption. Labels are not touched: do not flip digits.
/// </summary>
public abstract record Augmentation
{
    /// <summary>Name of the model's input that holds the images, float[channels, height, width] each; default: the first.</summary>
    public string Input { get; init; } = "";

    /// <summary>Share of the samples that are changed, 0 to 1; the others stay as they are. Default 1.</summary>
    [Range(0d, 1d)]
    public virtual double Probability { get; init; } = 1;

    /// <summary>Changes an image in place.</summary>
    /// <param name="image">The image.</param>
    /// <param name="random">Draw what is needed; it belongs to this augmentation of this sample only.</param>
    public abstract void Apply(AugmentedImage image, ref CounterRandom random);
}
