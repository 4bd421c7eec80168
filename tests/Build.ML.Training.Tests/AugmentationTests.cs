using Build.ML.Graph.Catalogs;
using Build.ML.Training.Augmentations;
using Build.ML.Training.Random;

namespace Build.ML.Training.Tests;

public sealed class AugmentationTests
{
    static float[] Ramp(int length) => [.. Enumerable.Range(1, length).Select(i => (float)i)];

    static float[] Applied(Augmentation augmentation, int channels, int height, int width, long seed = 1)
    {
        var pixels = Ramp(channels * height * width);
        var random = new CounterRandom(seed);
        augmentation.Apply(new(pixels, new float[pixels.Length], channels, height, width), ref random);
        return pixels;
    }

    [Fact]
    public void A_flip_mirrors_rows_or_columns_of_each_channel()
    {
        Assert.Equal([3f, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10], Applied(new Flip(), 2, 2, 3));
        Assert.Equal([4f, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9], Applied(new Flip { Axis = Flip.FlipAxis.Vertical }, 2, 2, 3));
    }

    [Fact]
    public void Moving_keeps_what_stays_inside_and_fills_the_rest()
    {
        var pixels = Ramp(6);
        var image = new AugmentedImage(pixels, new float[6], 1, 2, 3);
        image.Move(1, -1, 0.5f);
        Assert.Equal([0.5f, 4, 5, 0.5f, 0.5f, 0.5f], pixels);
        image.Move(-3, 0, 9);
        Assert.Equal([9f, 9, 9, 9, 9, 9], pixels);
    }

    [Fact]
    public void Crops_reach_every_place_of_the_padding_and_no_other()
    {
        var places = new HashSet<(int, int)>();
        for (var seed = 0; seed < 500; seed++)
        {
            var pixels = Applied(new Crop { Padding = 1, Fill = -1 }, 1, 5, 5, seed);
            var middle = Array.IndexOf(pixels, 13f); // was at (2, 2)
            places.Add((middle / 5, middle % 5));
            Assert.Equal((5 - Math.Abs((middle / 5) - 2)) * (5 - Math.Abs((middle % 5) - 2)), pixels.Count(p => p > 0));
        }

        Assert.Equal(9, places.Count);
        Assert.All(places, p => Assert.True(p.Item1 is >= 1 and <= 3 && p.Item2 is >= 1 and <= 3));
    }

    [Fact]
    public void A_shift_is_a_share_of_height_and_width()
    {
        for (var seed = 0; seed < 100; seed++)
        {
            var pixels = Applied(new Shift { Distance = 0.2 }, 1, 5, 10, seed);
            var middle = Array.IndexOf(pixels, 26f); // was at (2, 5)
            Assert.InRange(middle / 10, 1, 3);
            Assert.InRange(middle % 10, 3, 7);
        }
    }

    [Fact]
    public void A_cutout_covers_one_square_of_all_channels()
    {
        for (var seed = 0; seed < 100; seed++)
        {
            var pixels = Applied(new Cutout { Size = 3, Fill = -7 }, 2, 8, 8, seed);
            int[] covered = [.. Enumerable.Range(0, 64).Where(i => pixels[i] == -7)];
            Assert.Equal(covered, Enumerable.Range(0, 64).Where(i => pixels[64 + i] == -7));
            var (height, width) = (covered.Select(i => i / 8).Distinct().Count(), covered.Select(i => i % 8).Distinct().Count());
            Assert.Equal(covered.Length, height * width);
            Assert.InRange(height, 2, 3);
            Assert.InRange(width, 2, 3);
        }
    }

    [Fact]
    public void Jitter_scales_about_the_mean_and_adds()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var pixels = Applied(new ColorJitter { Brightness = 0.5, Contrast = 0.3 }, 3, 5, 5, seed); // mean 38
            var contrast = (pixels[74] - pixels[0]) / 74;
            Assert.InRange(contrast, 0.7, 1.3);
            Assert.InRange(pixels.Average() - 38, -0.5001, 0.5001);
            Assert.Equal(pixels[0] + (37 * contrast), pixels[37], 1e-4);
        }
    }

    [Fact]
    public void Every_augmentation_is_found_by_name() =>
        Assert.Equal(
            ["color_jitter", "crop", "cutout", "flip", "shift"], Catalog<Augmentation>.Scan(typeof(Augmentation).Assembly).Names.Order(StringComparer.Ordinal));
}
