using System.ComponentModel.DataAnnotations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>
/// Pads the image on every side and cuts a window of the image's own sizes out at a random place, as is usual for CIFAR (He et al.: Deep
/// residual learning for image recognition, 2016:
/// padding 4 of 32 pixels).
/// </summary>
[Augmentation("crop")]
public sealed record Crop : Augmentation
{
    /// <summary>Pixels added on each side, 1 or more. Default 4.</summary>
    [Range(1, 4096)]
    public int Padding { get; init; } = 4;

    /// <summary>
    /// Element value of the added pixels, after normalization: 0 is the mean where <c>mean</c> was subtracted. Default 0.
    /// </summary>
    public double Fill { get; init; }

    /// <inheritdoc/>
    public override void Apply(AugmentedImage image, ref CounterRandom random) =>
        image.Move(random.Below((2 * Padding) + 1) - Padding, random.Below((2 * Padding) + 1) - Padding, (float)Fill);
}
