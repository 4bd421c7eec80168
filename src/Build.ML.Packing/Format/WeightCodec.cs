using Build.ML.Packing.Coding;

namespace Build.ML.Packing.Format;

/// <summary>
/// A weight as symbols. Integers are symbols of as many bits as packs them best. Floats of few values are symbols that stand for these; of others the places that are not 0 are symbols of one bit.
/// What symbols do not tell (the values) goes to the rest of the file.
/// </summary>
internal static class WeightCodec
{
    private const byte Fields = 0; // + bits of a symbol, 1 to 8
    private const byte Table = 16; // + bits of a symbol, 0 to 8
    private const byte Sparse = 32;
    private const int Sample = 1 << 14; // bytes on which bits are tried

    /// <summary>Codes a weight; null where nothing is gained.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="weight">The part that is the weight.</param>
    /// <param name="rest">Gets what symbols do not tell.</param>
    public static byte[]? Encode(byte[] bytes, WeightBytes weight, PackedWriter rest) =>
        weight.Kind == ElementKind.Integer ? EncodeIntegers(bytes, weight) : EncodeFloats(bytes, weight, rest);

    /// <summary>Restores a weight.</summary>
    /// <param name="input">At what <see cref="Encode"/> wrote.</param>
    /// <param name="bytes">The file.</param>
    /// <param name="start">First byte of the weight.</param>
    /// <param name="length">Its number of bytes.</param>
    /// <param name="rest">What symbols do not tell.</param>
    public static void Decode(PackedReader input, byte[] bytes, int start, int length, PackedReader rest)
    {
        var form = input.Byte();
        switch (form)
        {
            case > Fields and <= Fields + 8:
                BitFields.Write(SymbolStream.Decode(input, BitFields.Count(length, form), form), form, bytes, start, length);
                break;
            case >= Table and <= Table + 8:
                DecodeTable(input, bytes, start, length, form - Table, rest);
                break;
            case Sparse:
                DecodeSparse(input, bytes, start, length, rest);
                break;
            default:
                throw new InvalidDataException($"There is no form {form} of a weight.");
        }
    }

    private static byte[]? EncodeIntegers(byte[] bytes, WeightBytes weight)
    {
        var (best, least) = (0, int.MaxValue);
        var sample = Math.Min(Sample, weight.Length);
        for (var bits = 1; bits <= 8; bits++)
        {
            // From the middle: ends of tables are often unlike the rest. A multiple of 840 begins at a symbol for any number of bits.
            var start = weight.Start + (weight.Length - sample) / 2 / 840 * 840;
            var size = SymbolStream.Encode(BitFields.Read(bytes, start, sample, bits), bits).Length;
            (best, least) = size < least ? (bits, size) : (best, least);
        }

        var packed = SymbolStream.Encode(BitFields.Read(bytes, weight.Start, weight.Length, best), best);
        return packed.Length < weight.Length ? [(byte)(Fields + best), .. packed] : null;
    }

    private static byte[]? EncodeFloats(byte[] bytes, WeightBytes weight, PackedWriter rest)
    {
        var numbers = new int[weight.Length / 4];
        Buffer.BlockCopy(bytes, weight.Start, numbers, 0, weight.Length);
        var table = ValuesOf(numbers);
        if (table is not null && table.Count <= numbers.Length / 4)
        {
            return EncodeTable(numbers, table, rest);
        }

        var zeros = 0;
        foreach (var number in numbers)
        {
            zeros += number == 0 ? 1 : 0;
        }

        return zeros * 8 > numbers.Length ? EncodeSparse(numbers, rest) : null;
    }

    // Distinct numbers (their bits) in order with their symbols, or null where there are more than 256.
    private static SortedDictionary<int, byte>? ValuesOf(int[] numbers)
    {
        var values = new HashSet<int>();
        foreach (var number in numbers)
        {
            if (values.Add(number) && values.Count > 256)
            {
                return null;
            }
        }

        var table = new SortedDictionary<int, byte>();
        foreach (var value in values.OrderBy(v => v))
        {
            table.Add(value, (byte)table.Count);
        }

        return table;
    }

    private static byte[] EncodeTable(int[] numbers, SortedDictionary<int, byte> table, PackedWriter rest)
    {
        var symbols = new byte[numbers.Length];
        var lookup = new Dictionary<int, byte>(table);
        for (var i = 0; i < numbers.Length; i++)
        {
            symbols[i] = lookup[numbers[i]];
        }

        foreach (var value in table.Keys)
        {
            WriteNumber(rest, value);
        }

        var bits = 0;
        while (1 << bits < table.Count)
        {
            bits++;
        }

        var output = new PackedWriter();
        output.Byte((byte)(Table + bits));
        output.Varint(table.Count);
        return bits == 0 ? output.ToArray() : [.. output.ToArray(), .. SymbolStream.Encode(symbols, bits)];
    }

    private static void DecodeTable(PackedReader input, byte[] bytes, int start, int length, int bits, PackedReader rest)
    {
        var values = new int[1 << bits];
        var count = input.Varint();
        for (var i = 0; i < count; i++)
        {
            values[i] = ReadNumber(rest);
        }

        var numbers = new int[length / 4];
        if (bits == 0)
        {
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i] = values[0];
            }
        }
        else
        {
            var symbols = SymbolStream.Decode(input, numbers.Length, bits);
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i] = values[symbols[i]];
            }
        }

        Buffer.BlockCopy(numbers, 0, bytes, start, length);
    }

    private static byte[] EncodeSparse(int[] numbers, PackedWriter rest)
    {
        var places = new byte[numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] != 0)
            {
                places[i] = 1;
                WriteNumber(rest, numbers[i]);
            }
        }

        return [Sparse, .. SymbolStream.Encode(places, 1)];
    }

    private static void DecodeSparse(PackedReader input, byte[] bytes, int start, int length, PackedReader rest)
    {
        var places = SymbolStream.Decode(input, length / 4, 1);
        var numbers = new int[places.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = places[i] == 0 ? 0 : ReadNumber(rest);
        }

        Buffer.BlockCopy(numbers, 0, bytes, start, length);
    }

    private static void WriteNumber(PackedWriter output, int number)
    {
        for (var shift = 0; shift < 32; shift += 8)
        {
            output.Byte((byte)(number >> shift));
        }
    }

    private static int ReadNumber(PackedReader input) => input.Byte() | (input.Byte() << 8) | (input.Byte() << 16) | (input.Byte() << 24);
}
