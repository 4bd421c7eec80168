using System.ComponentModel.DataAnnotations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>
/// Moves the image by whole pixels, at most a share of its height and width: what <see cref="Crop"/> does, for images of any size.
/// </summary>
[Augmentation("shift")]
public sealed record Shift : Augmentation
{
    /// <summary>The farthest move as a share of the height and of the width, 0 to 1. Default 0.1.</summary>
    [Range(0d, 1d)]
    public double Distance { get; init; } = 0.1;

    /// <summary>Element value of what comes in from outside, after normalization. Default 0.</summary>
    public double Fill { get; init; }

    /// <inheritdoc/>
    public override void Apply(AugmentedImage image, ref CounterRandom random)
    {
        var (across, down) = ((int)(Distance * image.Width), (int)(Distance * image.Height));
        image.Move(random.Below((2 * across) + 1) - across, random.Below((2 * down) + 1) - down, (float)Fill);
    }
}
