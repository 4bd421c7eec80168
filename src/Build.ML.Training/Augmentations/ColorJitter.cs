using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Runtime.InteropServices;
using Build.ML.Training.Random;

namespace Build.ML.Training.Augmentations;

/// <summary>
/// Changes brightness and contrast: x becomes m + (x − m) · c + b with m the mean of the image, c of [1 − contrast, 1 + contrast] and b of
/// [−brightness, brightness], both uniform and the
/// same for all channels. The values are not clamped.
/// </summary>
[Augmentation("color_jitter")]
public sealed record ColorJitter : Augmentation
{
    /// <summary>The largest number added or subtracted, in units of the normalized elements, 0 or more. Default 0.2.</summary>
    [Range(0d, 1e6)]
    public double Brightness { get; init; } = 0.2;

    /// <summary>The largest relative change of contrast, 0 to 1. Default 0.2.</summary>
    [Range(0d, 1d)]
    public double Contrast { get; init; } = 0.2;

    /// <inheritdoc/>
    public override void Apply(AugmentedImage image, ref CounterRandom random)
    {
        var factor = random.Uniform((float)(1 - Contrast), (float)(1 + Contrast));
        var brightness = random.Uniform((float)-Brightness, (float)Brightness);
        var offset = (Mean(image.Pixels) * (1 - factor)) + brightness;
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(image.Pixels);
        foreach (ref var vector in vectors)
        {
            vector = (vector * new Vector<float>(factor)) + new Vector<float>(offset);
        }

        foreach (ref var value in image.Pixels[(vectors.Length * Vector<float>.Count)..])
        {
            value = (value * factor) + offset;
        }
    }

    // In four sums whatever the vector's width, so that the same image has the same mean everywhere.
    private static float Mean(ReadOnlySpan<float> pixels)
    {
        var (a, b, c, d) = (0d, 0d, 0d, 0d);
        var i = 0;
        for (; i + 4 <= pixels.Length; i += 4)
        {
            a += pixels[i];
            b += pixels[i + 1];
            c += pixels[i + 2];
            d += pixels[i + 3];
        }

        for (; i < pixels.Length; i++)
        {
            a += pixels[i];
        }

        return (float)((a + b + c + d) / pixels.Length);
    }
}
