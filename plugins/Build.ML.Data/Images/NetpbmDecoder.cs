namespace Build.ML.Data.Images;

/// <summary>Netpbm grey and colour maps: PGM (P2, P5) and PPM (P3, P6), the first image of the file, samples scaled to 0…255.</summary>
[ImageFormat("pnm")]
internal sealed class NetpbmDecoder : ImageDecoder
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions => [".pgm", ".ppm", ".pnm"];

    /// <inheritdoc/>
    public override bool Recognizes(ReadOnlySpan<byte> bytes) => bytes is [(byte)'P', (byte)'2' or (byte)'3' or (byte)'5' or (byte)'6', ..];

    /// <inheritdoc/>
    public override PixelImage Decode(ReadOnlySpan<byte> bytes, string file)
    {
        var kind = bytes[1] - '0';
        var channels = kind is 3 or 6 ? 3 : 1;
        var binary = kind >= 5;
        var offset = 2;
        var width = Number(bytes, ref offset, file);
        var height = Number(bytes, ref offset, file);
        var most = Number(bytes, ref offset, file);
        if (most is < 1 or > 65535)
        {
            throw Broken(file, offset, $"largest value {most}", "1 to 65535");
        }

        CheckSize(width, height, bytes.Length / channels, file, 2);
        var pixels = new byte[width * height * channels];
        var size = most > 255 ? 2 : 1;
        offset += binary ? 1 : 0; // one blank ends the header
        if (binary && bytes.Length - offset < (long)pixels.Length * size)
        {
            throw Broken(file, bytes.Length, "the end of the file", $"{((long)pixels.Length * size) - (bytes.Length - offset)} bytes of pixels more");
        }

        for (var i = 0; i < pixels.Length; i++)
        {
            var at = offset + (i * size);
            var value = !binary ? Number(bytes, ref offset, file)
                : size == 1 ? bytes[at]
                : (bytes[at] << 8) | bytes[at + 1];
            pixels[i] = value <= most
                ? (byte)(((value * 255L) + (most / 2)) / most)
                : throw Broken(file, binary ? at : offset, $"value {value}", $"at most {most}");
        }

        return new PixelImage(width, height, channels, pixels);
    }

    private static int Number(ReadOnlySpan<byte> bytes, ref int offset, string file)
    {
        while (offset < bytes.Length && (bytes[offset] <= ' ' || bytes[offset] == '#'))
        {
            if (bytes[offset++] == '#')
            {
                while (offset < bytes.Length && bytes[offset] != '\n')
                {
                    offset++;
                }
            }
        }

        var (start, value) = (offset, 0);
        for (; offset < bytes.Length && bytes[offset] is >= (byte)'0' and <= (byte)'9' && value < 1 << 24; offset++)
        {
            value = (value * 10) + bytes[offset] - '0';
        }

        return offset > start ? value : throw Broken(file, offset, offset < bytes.Length ? $"byte {bytes[offset]}" : "the end of the file", "a number");
    }
}
