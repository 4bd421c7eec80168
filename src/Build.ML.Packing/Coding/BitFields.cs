namespace Build.ML.Packing.Coding;

/// <summary>Symbols of 1 to 8 bits within bytes, the first in the lowest bits.</summary>
internal static class BitFields
{
    /// <summary>Number of symbols in bytes; bits behind the last byte are 0.</summary>
    public static int Count(int bytes, int bits) => checked((int)((bytes * 8L + bits - 1) / bits));

    /// <summary>Takes symbols out of bytes.</summary>
    public static byte[] Read(byte[] bytes, int start, int length, int bits)
    {
        var symbols = new byte[Count(length, bits)];
        for (var i = 0; i < symbols.Length; i++)
        {
            var bit = (long)i * bits;
            var at = (int)(bit >> 3);
            var two = bytes[start + at] | (at + 1 < length ? bytes[start + at + 1] << 8 : 0);
            symbols[i] = (byte)((two >> (int)(bit & 7)) & ((1 << bits) - 1));
        }

        return symbols;
    }

    /// <summary>Puts symbols into bytes that are 0.</summary>
    /// <param name="symbols">Each below 2^bits.</param>
    /// <param name="bits">Bits of each.</param>
    /// <param name="bytes">Where to.</param>
    /// <param name="start">First byte.</param>
    /// <param name="length">Number of bytes; what would go beyond is dropped.</param>
    public static void Write(byte[] symbols, int bits, byte[] bytes, int start, int length)
    {
        for (var i = 0; i < symbols.Length; i++)
        {
            var bit = (long)i * bits;
            var at = (int)(bit >> 3);
            var two = symbols[i] << (int)(bit & 7);
            bytes[start + at] |= (byte)two;
            if (two > 255 && at + 1 < length)
            {
                bytes[start + at + 1] |= (byte)(two >> 8);
            }
        }
    }
}
