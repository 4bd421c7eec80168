using System.Buffers.Binary;

namespace Build.ML.Data.Images;

/// <summary>Windows bitmaps without compression (BITMAPINFOHEADER and later): 1, 4 and 8 bits with a palette, 24 and 32 bits, either row order.</summary>
[ImageFormat("bmp")]
internal sealed class BmpDecoder : ImageDecoder
{
    private const int FileHeader = 14;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions => [".bmp"];

    /// <inheritdoc/>
    public override bool Recognizes(ReadOnlySpan<byte> bytes) => bytes is [(byte)'B', (byte)'M', ..];

    /// <inheritdoc/>
    public override PixelImage Decode(ReadOnlySpan<byte> bytes, string file)
    {
        if (bytes.Length < FileHeader + 40)
        {
            throw Broken(file, bytes.Length, "the end of the file", "a header of 54 bytes");
        }

        var pixelOffset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]);
        var headerSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes[14..]);
        long width = BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]);
        long height = BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]);
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]);
        var compression = BinaryPrimitives.ReadUInt32LittleEndian(bytes[30..]);
        var bottomUp = height > 0;
        height = Math.Abs(height);
        if (headerSize < 40 || bits is not (1 or 4 or 8 or 24 or 32) || (compression != 0 && (compression != 3 || bits != 32)))
        {
            throw NotRead(file, $"It is a bitmap with a header of {headerSize} bytes, {bits} bits a pixel, compression {compression}");
        }

        CheckSize(width, height, bytes.Length * 8L / bits, file, 18);
        var stride = ((width * bits) + 31) / 32 * 4;
        if (pixelOffset + (stride * height) > bytes.Length)
        {
            throw Broken(file, bytes.Length, "the end of the file", $"{pixelOffset + (stride * height) - bytes.Length} bytes of pixels more");
        }

        var palette = bits <= 8 ? Palette(bytes, headerSize, bits, file) : default;
        var pixels = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
        {
            var row = bytes.Slice((int)(pixelOffset + (stride * (bottomUp ? height - 1 - y : y))), (int)stride);
            for (var x = 0; x < width; x++)
            {
                var entry = bits switch
                {
                    24 => row.Slice(x * 3, 3),
                    32 => row.Slice(x * 4, 3),
                    _ => Entry(palette, (row[x * bits / 8] >> (8 - bits - (x * bits % 8))) & ((1 << bits) - 1), file),
                };
                var target = (int)((y * width) + x) * 3;
                (pixels[target], pixels[target + 1], pixels[target + 2]) = (entry[2], entry[1], entry[0]); // stored blue, green, red
            }
        }

        return new PixelImage((int)width, (int)height, 3, pixels);
    }

    private static ReadOnlySpan<byte> Palette(ReadOnlySpan<byte> bytes, uint headerSize, int bits, string file)
    {
        var used = BinaryPrimitives.ReadUInt32LittleEndian(bytes[46..]);
        var length = 4L * (used == 0 ? 1u << bits : used);
        return used <= 1u << bits && FileHeader + headerSize + length <= bytes.Length
            ? bytes.Slice((int)(FileHeader + headerSize), (int)length)
            : throw Broken(file, 46, $"a palette of {used} colours", $"at most {1 << bits} that lie within the file");
    }

    private static ReadOnlySpan<byte> Entry(ReadOnlySpan<byte> palette, int index, string file) => (index * 4) + 4 <= palette.Length
        ? palette.Slice(index * 4, 3)
        : throw Broken(file, 0, $"palette index {index}", $"below {palette.Length / 4}");
}
