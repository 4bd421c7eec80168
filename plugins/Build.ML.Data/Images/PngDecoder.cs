using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Build.ML.Data.Images;

/// <summary>PNG (ISO/IEC 15948, W3C PNG 3rd edition): all colour types and bit depths, interlaced too. Alpha, gamma and colour profiles are dropped.</summary>
[ImageFormat("png")]
internal sealed class PngDecoder : ImageDecoder
{
    // Adam7: first column, first row, column step, row step of each pass.
    private static readonly (int X, int Y, int Dx, int Dy)[] Passes =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions => [".png"];

    /// <inheritdoc/>
    public override bool Recognizes(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Signature);

    /// <inheritdoc/>
    public override PixelImage Decode(ReadOnlySpan<byte> bytes, string file)
    {
        var header = default(Header);
        ReadOnlySpan<byte> palette = default;
        using var packed = new MemoryStream();
        for (var offset = Signature.Length; ;)
        {
            var data = Chunk(bytes, offset, file, out var type);
            if (header.Width == 0 && type != "IHDR")
            {
                throw Broken(file, offset, $"chunk {type}", "chunk IHDR first");
            }

            switch (type)
            {
                case "IHDR":
                    header = HeaderOf(data, bytes.Length, file, offset + 8);
                    break;
                case "PLTE" when data.Length % 3 != 0 || data.Length > 768:
                    throw Broken(file, offset, $"a palette of {data.Length} bytes", "a multiple of 3 up to 768");
                case "PLTE":
                    palette = data;
                    break;
                case "IDAT":
                    packed.Write(data);
                    break;
                case "IEND" when header.ColourType == 3 && palette.IsEmpty:
                    throw Broken(file, offset, "no palette", "chunk PLTE before IDAT");
                case "IEND":
                    packed.Position = 0;
                    return Unpack(packed, header, palette, file);
            }

            offset += data.Length + 12;
        }
    }

    private static ReadOnlySpan<byte> Chunk(ReadOnlySpan<byte> bytes, int offset, string file, out string type)
    {
        if (bytes.Length - offset < 12)
        {
            throw Broken(file, bytes.Length, "the end of the file", "chunk IEND");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[offset..]);
        if (length > bytes.Length - offset - 12)
        {
            throw Broken(file, offset, string.Create(CultureInfo.InvariantCulture, $"a chunk of {length} bytes"), $"at most {bytes.Length - offset - 12}");
        }

        var body = bytes.Slice(offset + 4, (int)length + 4);
        type = Encoding.Latin1.GetString(body[..4]);
        var stated = BinaryPrimitives.ReadUInt32BigEndian(bytes[(offset + 8 + (int)length)..]);
        var actual = Crc32.Of(body);
        return stated == actual ? body[4..] : throw Broken(file, offset, $"chunk {type} with CRC {actual:x8}", $"CRC {stated:x8} as written after it");
    }

    private static Header HeaderOf(ReadOnlySpan<byte> data, int fileLength, string file, int offset)
    {
        if (data.Length != 13)
        {
            throw Broken(file, offset, $"IHDR of {data.Length} bytes", "13");
        }

        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
        var (depth, colourType, interlaced) = (data[8], data[9], data[12]);
        var samples = (colourType, depth) switch
        {
            (0, 1 or 2 or 4 or 8 or 16) or (3, 1 or 2 or 4 or 8) => 1,
            (2, 8 or 16) => 3,
            (4, 8 or 16) => 2,
            (6, 8 or 16) => 4,
            _ => throw Broken(file, offset + 8, $"colour type {colourType} with {depth} bits", "a pair that the PNG specification allows"),
        };
        if (data[10] != 0 || data[11] != 0 || interlaced > 1)
        {
            throw Broken(file, offset + 10, $"methods {data[10]}, {data[11]}, {interlaced}", "compression 0, filter 0, interlace 0 or 1");
        }

        // Deflate packs at most about 1,032 to 1.
        CheckSize(width, height, fileLength * 1040L * 8 / (samples * depth), file, offset);
        return new((int)width, (int)height, depth, colourType, samples, interlaced == 1);
    }

    private static PixelImage Unpack(Stream packed, Header header, ReadOnlySpan<byte> palette, string file)
    {
        var channels = header.ColourType is 0 or 4 ? 1 : 3;
        var image = new PixelImage(header.Width, header.Height, channels, new byte[header.Width * header.Height * channels]);
        using var rows = new ZLibStream(packed, CompressionMode.Decompress);
        try
        {
            foreach (var pass in header.Interlaced ? Passes : [(0, 0, 1, 1)])
            {
                UnpackPass(rows, header, pass, palette, image, file);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw Broken(file, 0, $"image data that does not unpack ({e.Message})", "a whole zlib stream in the IDAT chunks");
        }

        return image;
    }

    private static void UnpackPass(
        ZLibStream rows, Header header, (int X, int Y, int Dx, int Dy) pass, ReadOnlySpan<byte> palette, PixelImage image, string file)
    {
        var width = (header.Width - pass.X + pass.Dx - 1) / pass.Dx;
        var height = (header.Height - pass.Y + pass.Dy - 1) / pass.Dy;
        if (width <= 0 || height <= 0)
        {
            return;
        }

        var bits = header.Samples * header.Depth;
        var step = Math.Max(1, bits / 8);
        var line = new byte[(((long)width * bits) + 7) / 8];
        var above = new byte[line.Length];
        for (var y = 0; y < height; y++)
        {
            var filter = rows.ReadByte();
            rows.ReadExactly(line);
            Unfilter(filter, line, above, step, file);
            for (var x = 0; x < width; x++)
            {
                var target = ((((pass.Y + (y * pass.Dy)) * image.Width) + pass.X + (x * pass.Dx)) * image.Channels);
                Put(line, x, header, palette, image.Pixels.AsSpan(target, image.Channels), file);
            }

            (line, above) = (above, line);
        }
    }

    private static void Unfilter(int filter, byte[] line, byte[] above, int step, string file)
    {
        switch (filter)
        {
            case 0:
                break;
            case 1:
                for (var i = step; i < line.Length; i++)
                {
                    line[i] += line[i - step];
                }

                break;
            case 2:
                for (var i = 0; i < line.Length; i++)
                {
                    line[i] += above[i];
                }

                break;
            case 3:
                for (var i = 0; i < line.Length; i++)
                {
                    line[i] += (byte)(((i < step ? 0 : line[i - step]) + above[i]) / 2);
                }

                break;
            case 4:
                for (var i = 0; i < line.Length; i++)
                {
                    line[i] += i < step ? above[i] : Paeth(line[i - step], above[i], above[i - step]);
                }

                break;
            default:
                throw Broken(file, 0, $"row filter {filter}", "0 to 4");
        }
    }

    // The neighbour nearest to left + up − corner; ties in the order left, up, corner (PNG specification 9.4).
    private static byte Paeth(int left, int up, int corner)
    {
        var estimate = left + up - corner;
        var (a, b, c) = (Math.Abs(estimate - left), Math.Abs(estimate - up), Math.Abs(estimate - corner));
        return (byte)(a <= b && a <= c ? left : b <= c ? up : corner);
    }

    private static void Put(byte[] line, int x, Header header, ReadOnlySpan<byte> palette, Span<byte> pixel, string file)
    {
        var bytesPerSample = header.Depth == 16 ? 2 : 1;
        if (header.Depth >= 8 && header.ColourType != 3)
        {
            for (var c = 0; c < pixel.Length; c++)
            {
                pixel[c] = line[((x * header.Samples) + c) * bytesPerSample];
            }

            return;
        }

        var bit = x * header.Depth;
        var value = (line[bit / 8] >> (8 - header.Depth - (bit % 8))) & ((1 << header.Depth) - 1);
        if (header.ColourType == 0)
        {
            pixel[0] = (byte)(value * 255 / ((1 << header.Depth) - 1));
        }
        else if (value * 3 < palette.Length)
        {
            palette.Slice(value * 3, 3).CopyTo(pixel);
        }
        else
        {
            throw Broken(file, 0, $"palette index {value}", $"below {palette.Length / 3}");
        }
    }

    private readonly record struct Header(int Width, int Height, int Depth, int ColourType, int Samples, bool Interlaced);
}
