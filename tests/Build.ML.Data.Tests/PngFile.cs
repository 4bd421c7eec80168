using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Build.ML.Data.Tests;

/// <summary>Writes PNG files for tests: any colour type and depth, any row filter, interlaced or not. Written from the specification, apart from the decoder.</summary>
static class PngFile
{
    /// <param name="width">Pixels.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="colourType">0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha.</param>
    /// <param name="depth">Bits of a sample.</param>
    /// <param name="sample">Sample value of (x, y, channel).</param>
    /// <param name="filter">Row filter, 0 to 4.</param>
    /// <param name="interlaced">Adam7.</param>
    /// <param name="palette">Bytes of PLTE.</param>
    public static byte[] Write(
        int width, int height, int colourType, int depth, Func<int, int, int, int> sample, int filter = 0, bool interlaced = false, byte[]? palette = null)
    {
        var samples = colourType switch { 0 or 3 => 1, 4 => 2, 2 => 3, _ => 4 };
        using var raw = new MemoryStream();
        (int X, int Y, int Dx, int Dy)[] passes = interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)];
        foreach (var pass in passes)
            WritePass(raw, pass);

        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(raw.ToArray());
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colourType, (byte)(interlaced ? 1 : 0));
        Chunk(png, "IHDR", header);
        if (palette is not null)
            Chunk(png, "PLTE", palette);
        var data = packed.ToArray();
        Chunk(png, "IDAT", data[..(data.Length / 2)]); // in two parts, as files have it
        Chunk(png, "IDAT", data[(data.Length / 2)..]);
        Chunk(png, "IEND", []);
        return png.ToArray();

        void WritePass(MemoryStream target, (int X, int Y, int Dx, int Dy) pass)
        {
            var step = Math.Max(1, samples * depth / 8);
            byte[]? above = null;
            for (var y = pass.Y; y < height; y += pass.Dy)
            {
                var bits = new List<bool>();
                for (var x = pass.X; x < width; x += pass.Dx)
                    for (var c = 0; c < samples; c++)
                        for (var b = depth - 1; b >= 0; b--)
                            bits.Add(((sample(x, y, c) >> b) & 1) != 0);
                if (bits.Count == 0)
                    return;
                var line = new byte[(bits.Count + 7) / 8];
                for (var i = 0; i < bits.Count; i++)
                    line[i / 8] |= (byte)(bits[i] ? 0x80 >> (i % 8) : 0);
                above ??= new byte[line.Length];
                target.WriteByte((byte)filter);
                for (var i = 0; i < line.Length; i++)
                {
                    var (left, up, corner) = (i < step ? 0 : line[i - step], above[i], i < step ? 0 : above[i - step]);
                    var predicted = filter switch { 0 => 0, 1 => left, 2 => up, 3 => (left + up) / 2, _ => Nearest(left, up, corner) };
                    target.WriteByte((byte)(line[i] - predicted));
                }

                above = line;
            }
        }
    }

    static int Nearest(int left, int up, int corner)
    {
        int[] candidates = [left, up, corner];
        return candidates.MinBy(c => Math.Abs(left + up - corner - c));
    }

    static void Chunk(MemoryStream png, string type, byte[] data)
    {
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. data];
        var number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(body));
        png.Write(number);
    }

    // Bit by bit, from the definition.
    static uint Crc(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var k = 0; k < 8; k++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }

        return ~crc;
    }
}
