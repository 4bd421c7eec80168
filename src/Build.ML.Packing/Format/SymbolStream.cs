using Build.ML.Packing.Coding;

namespace Build.ML.Packing.Format;

/// <summary>Symbols of one weight, coded in parts that do not depend on each other, so that several threads can restore them.</summary>
internal static class SymbolStream
{
    /// <summary>Symbols in a part: a multiple of eight, so that parts begin at whole bytes.</summary>
    private const int Part = 1 << 20;

    private const int Sample = 1 << 17; // symbols looked at for the length of a row
    private const int LongestRow = 4096;

    /// <summary>Codes symbols: most frequent one, length of a row, then each part with its length.</summary>
    public static byte[] Encode(byte[] symbols, int bits)
    {
        var frequent = MostFrequent(symbols);
        var row = RowLength(symbols, frequent);
        var parts = new byte[(symbols.Length + Part - 1) / Part][];
        Parallel.For(0, parts.Length, p => parts[p] = new SymbolModel(bits, frequent, row).Encode(symbols, p * Part, Math.Min(Part, symbols.Length - p * Part)));
        var output = new PackedWriter();
        output.Byte(frequent);
        output.Varint(row);
        foreach (var part in parts)
        {
            output.Block(part);
        }

        return output.ToArray();
    }

    /// <summary>Restores symbols.</summary>
    public static byte[] Decode(PackedReader input, int count, int bits)
    {
        var frequent = input.Byte();
        var row = input.Varint();
        var symbols = new byte[count];
        var parts = new (int Start, int Length)[(int)(((long)count + Part - 1) / Part)];
        for (var p = 0; p < parts.Length; p++)
        {
            parts[p] = input.Block();
        }

        Parallel.For(0, parts.Length, p =>
            new SymbolModel(bits, frequent, row).Decode(new RangeDecoder(input.Bytes, parts[p].Start, parts[p].Length), symbols, p * Part, Math.Min(Part, count - p * Part)));
        return symbols;
    }

    private static byte MostFrequent(byte[] symbols)
    {
        var counts = new int[256];
        foreach (var symbol in symbols)
        {
            counts[symbol]++;
        }

        var most = 0;
        for (var s = 1; s < counts.Length; s++)
        {
            most = counts[s] > counts[most] ? s : most;
        }

        return (byte)most;
    }

    // Units that were pruned leave columns of zeros: the distance at which others lie above others most often, or 0 where that is little more than by chance.
    private static int RowLength(byte[] symbols, byte frequent)
    {
        var length = Math.Min(Sample, symbols.Length);
        var others = new List<int>();
        var isOther = new bool[length];
        for (var i = 0; i < length; i++)
        {
            if (symbols[i] != frequent)
            {
                isOther[i] = true;
                others.Add(i);
            }
        }

        // Few enough to be looked at one by one, each with all distances.
        var step = Math.Max(1, others.Count / 2048);
        var hits = new int[LongestRow + 1];
        var tried = 0;
        for (var n = 0; n < others.Count; n += step, tried++)
        {
            var at = others[n];
            for (var row = 2; row <= Math.Min(LongestRow, at); row++)
            {
                hits[row] += isOther[at - row] ? 1 : 0;
            }
        }

        // Multiples of the distance are as good but for chance: the shortest.
        var best = hits.Max();
        var chance = (double)tried * others.Count / Math.Max(1, length);
        return best > chance + 4 * Math.Sqrt(chance) + 8 ? Array.FindIndex(hits, h => h > best - 3 * Math.Sqrt(best)) : 0;
    }
}
