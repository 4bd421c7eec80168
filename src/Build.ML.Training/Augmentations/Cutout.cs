using System.ComponentModel.DataAnnotations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>
/// Covers a square at a random place (DeVries, Taylor: Improved regularization of convolutional neural networks with cutout, 2017). The
/// centre lies anywhere in the image, so that the
/// square may reach over its edge.
/// </summary>
[Augmentation("cutout")]
public sealed record Cutout : Augmentation
{
    /// <summary>Side of the square in pixels, 1 or more. Default 8.</summary>
    [Range(1, 4096)]
    public int Size { get; init; } = 8;

    /// <summary>Element value of the square, after normalization. Default 0.</summary>
    public double Fill { get; init; }

    /// <inheritdoc/>
    public override void Apply(AugmentedImage image, ref CounterRandom random)
    {
        var left = random.Below(image.Width) - (Size / 2);
        var top = random.Below(image.Height) - (Size / 2);
        var (from, to) = (Math.Max(0, left), Math.Min(image.Width, left + Size));
        for (var c = 0; c < image.Channels; c++)
        {
            for (var y = Math.Max(0, top); y < Math.Min(image.Height, top + Size); y++)
            {
                image.Row(c, y)[from..to].Fill((float)Fill);
            }
        }
    }
}
