using System.ComponentModel.DataAnnotations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>Mirrors the image, by default left to right.</summary>
[Augmentation("flip")]
public sealed record Flip : Augmentation
{
    /// <summary>What a flip exchanges.</summary>
    public enum FlipAxis
    {
        /// <summary>Left and right.</summary>
        Horizontal,

        /// <summary>Top and bottom.</summary>
        Vertical,
    }

    /// <summary>Which sides are exchanged; default <c>horizontal</c>.</summary>
    public FlipAxis Axis { get; init; } = FlipAxis.Horizontal;

    /// <summary>Share of the samples that are mirrored, 0 to 1. Default 0.5.</summary>
    [Range(0d, 1d)]
    public override double Probability { get; init; } = 0.5;

    /// <inheritdoc/>
    public override void Apply(AugmentedImage image, ref CounterRandom random)
    {
        if (Axis == FlipAxis.Horizontal)
        {
            for (var row = 0; row < image.Channels * image.Height; row++)
            {
                image.Pixels.Slice(row * image.Width, image.Width).Reverse();
            }

            return;
        }

        for (var c = 0; c < image.Channels; c++)
        {
            for (int top = 0, bottom = image.Height - 1; top < bottom; top++, bottom--)
            {
                var kept = image.Scratch[..image.Width];
                image.Row(c, top).CopyTo(kept);
                image.Row(c, bottom).CopyTo(image.Row(c, top));
                kept.CopyTo(image.Row(c, bottom));
            }
        }
    }
}
