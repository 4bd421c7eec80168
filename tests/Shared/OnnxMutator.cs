namespace Build.ML.TestSupport;

/// <summary>Makes broken and hostile files out of a valid ONNX file: the same seed gives the same bytes.</summary>
public static class OnnxMutator
{
    static readonly byte[][] Fragments =
    [
        [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], // 2^32 - 1 as varint
        [0xFF, 0xFF, 0xFF, 0xFF, 0x07], // 2^31 - 1
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], // -1
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], // 2^63 - 1
        [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], // never ends
        [0x80, 0x80, 0x00], // 0 in three bytes
        [0x0B], [0x0C], [0x0E], [0x00], [0x7F], [0x80],
        [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], // a dimension of 2^63 - 1
        [0x70, 0x01], // data_location: external
        [0x6A, 0x1A, 0x0A, 0x08, .. "location"u8, 0x12, 0x0E, .. "../../../x.bin"u8],
    ];

    /// <summary>A mutated file.</summary>
    /// <param name="file">A valid one.</param>
    /// <param name="seed">Which mutation.</param>
    public static byte[] Mutate(ReadOnlySpan<byte> file, int seed)
    {
        var random = new Random(seed);
        var bytes = new List<byte>(file.Length + 64);
        bytes.AddRange(file);
        for (var i = random.Next(2) == 0 ? 1 : random.Next(2, 5); i > 0 && bytes.Count > 0; i--)
            Change(bytes, random);
        return [.. bytes];
    }

    static void Change(List<byte> bytes, Random random)
    {
        var at = random.Next(bytes.Count);
        var length = Math.Min(random.Next(1, 64), bytes.Count - at);
        switch (random.Next(8))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 when random.Next(4) == 0: // truncation: seldom, as it hides other changes
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4: // splice
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 5:
                bytes.InsertRange(at, Fragments[random.Next(Fragments.Length)]);
                break;
            case 6: // a length: the byte after a tag of wire type 2
                var tag = bytes.FindIndex(at, b => (b & 7) == 2);
                if (tag >= 0 && tag + 1 < bytes.Count)
                {
                    bytes.RemoveAt(tag + 1);
                    bytes.InsertRange(tag + 1, random.Next(2) == 0 ? [(byte)random.Next(128)] : Fragments[random.Next(6)]);
                }

                break;
            default: // a run of one value
                for (var i = at; i < at + length; i++)
                    bytes[i] = bytes[at];
                break;
        }
    }
}
