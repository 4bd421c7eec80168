namespace Build.ML.Training.Augmentations;

/// <summary>An image as an augmentation sees it: planes of rows.</summary>
public readonly ref struct AugmentedImage
{
    /// <summary>An image over memory of the caller.</summary>
    /// <param name="pixels">channels · height · width elements, channel by channel, row by row.</param>
    /// <param name="scratch">As many elements of any content, free to use.</param>
    /// <param name="channels">1 or more.</param>
    /// <param name="height">1 or more.</param>
    /// <param name="width">1 or more.</param>
    public AugmentedImage(Span<float> pixels, Span<float> scratch, int channels, int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, channels * height * width);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scratch.Length, pixels.Length);
        Pixels = pixels;
        Scratch = scratch;
        (Channels, Height, Width) = (channels, height, width);
    }

    /// <summary>All elements, as the reader normalized them.</summary>
    public Span<float> Pixels { get; }

    /// <summary>As many elements of any content, free to use.</summary>
    public Span<float> Scratch { get; }

    /// <summary>Number of planes.</summary>
    public int Channels { get; }

    /// <summary>Rows of a plane.</summary>
    public int Height { get; }

    /// <summary>Elements of a row.</summary>
    public int Width { get; }

    /// <summary>One row of one plane.</summary>
    public Span<float> Row(int channel, int y) => Pixels.Slice(((channel * Height) + y) * Width, Width);

    /// <summary>Moves the image by whole pixels; what comes in from outside is <paramref name="fill"/>.</summary>
    /// <param name="right">Pixels to the right, negative to the left.</param>
    /// <param name="down">Pixels down, negative up.</param>
    /// <param name="fill">Element value.</param>
    public void Move(int right, int down, float fill)
    {
        if (right == 0 && down == 0)
        {
            return;
        }

        Pixels.CopyTo(Scratch);
        Pixels.Fill(fill);
        var columns = Width - Math.Abs(right);
        if (columns <= 0)
        {
            return;
        }

        for (var c = 0; c < Channels; c++)
        {
            for (var y = Math.Max(0, down); y < Math.Min(Height, Height + down); y++)
            {
                Scratch.Slice((((c * Height) + y - down) * Width) + Math.Max(0, -right), columns).CopyTo(Row(c, y)[Math.Max(0, right)..]);
            }
        }
    }
}
