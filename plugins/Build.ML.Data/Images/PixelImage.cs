namespace Build.ML.Data.Images;

/// <summary>An image of 8-bit pixels, row by row, channels of a pixel side by side.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Channels">1 grey, 3 red green blue.</param>
/// <param name="Pixels">Width · height · channels bytes.</param>
public sealed record PixelImage(int Width, int Height, int Channels, byte[] Pixels)
{
    /// <summary>
    /// The image with 1 or 3 channels: grey is copied to all three; colour becomes luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded.
    /// </summary>
    public PixelImage WithChannels(int channels)
    {
        if (channels == Channels)
        {
            return this;
        }

        var pixels = new byte[Width * Height * channels];
        if (channels == 3)
        {
            for (var i = 0; i < Pixels.Length; i++)
            {
                pixels.AsSpan(i * 3, 3).Fill(Pixels[i]);
            }
        }
        else
        {
            for (var i = 0; i < pixels.Length; i++)
            {
                var p = Pixels.AsSpan(i * 3, 3);

                // 16-bit fixed point of the weights above.
                pixels[i] = (byte)(((19595 * p[0]) + (38470 * p[1]) + (7471 * p[2]) + 32768) >> 16);
            }
        }

        return new(Width, Height, channels, pixels);
    }

    /// <summary>The image with red and blue exchanged.</summary>
    public PixelImage Reversed()
    {
        var pixels = (byte[])Pixels.Clone();
        for (var i = 0; i + 2 < pixels.Length && Channels == 3; i += 3)
        {
            (pixels[i], pixels[i + 2]) = (pixels[i + 2], pixels[i]);
        }

        return this with { Pixels = pixels };
    }

    /// <summary>
    /// The image in another size by bilinear interpolation between pixel centres (source = (target + ½) · ratio − ½, clamped at the borders), without
    /// averaging when it shrinks, as most inference code does it.
    /// </summary>
    public PixelImage Resized(int width, int height)
    {
        if (width == Width && height == Height)
        {
            return this;
        }

        var pixels = new byte[checked(width * height * Channels)];
        var columns = Taps(width, Width);
        var rows = Taps(height, Height);
        for (var y = 0; y < height; y++)
        {
            var (top, bottom, down) = rows[y];
            var upper = Pixels.AsSpan(top * Width * Channels);
            var lower = Pixels.AsSpan(bottom * Width * Channels);
            for (var x = 0; x < width; x++)
            {
                var (left, right, across) = columns[x];
                for (var c = 0; c < Channels; c++)
                {
                    var above = float.Lerp(upper[(left * Channels) + c], upper[(right * Channels) + c], across);
                    var below = float.Lerp(lower[(left * Channels) + c], lower[(right * Channels) + c], across);
                    pixels[(((y * width) + x) * Channels) + c] = (byte)(float.Lerp(above, below, down) + 0.5f);
                }
            }
        }

        return new(width, height, Channels, pixels);
    }

    private static (int First, int Second, float Weight)[] Taps(int target, int source)
    {
        var taps = new (int, int, float)[target];
        var ratio = (double)source / target;
        for (var i = 0; i < target; i++)
        {
            var position = Math.Clamp(((i + 0.5) * ratio) - 0.5, 0, source - 1);
            var first = (int)position;
            taps[i] = (first, Math.Min(first + 1, source - 1), (float)(position - first));
        }

        return taps;
    }
}
