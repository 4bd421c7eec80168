using Build.ML.Graph.Tensors;

namespace Build.ML.WeightSharing.Storage;

/// <summary>Indices of 1 to 8 bits one after the other without gaps, the first in the lowest bits of the first byte: eight take as many bytes as one has bits.</summary>
internal static class PackedIndices
{
    /// <summary>Bytes that indices take: whole groups of eight.</summary>
    public static long Length(long count, int bits) => bits == 8 ? count : (count + 7) / 8 * bits;

    /// <summary>Indices of a weight as the content of a tensor, computed when it is written.</summary>
    public static ComputedContent Content(SharedWeight weight, int bits) => new(Length(weight.Count, bits), () => Pack(weight.Indices(), bits));

    /// <summary>Puts indices together.</summary>
    /// <param name="indices">Each below 2^bits.</param>
    /// <param name="bits">Bits of each.</param>
    public static byte[] Pack(byte[] indices, int bits)
    {
        if (bits == 8)
        {
            return indices;
        }

        var packed = new byte[Length(indices.Length, bits)];
        for (int first = 0, at = 0; first < indices.Length; first += 8, at += bits)
        {
            var group = 0UL;
            for (var i = 0; i < Math.Min(8, indices.Length - first); i++)
            {
                group |= (ulong)indices[first + i] << (i * bits);
            }

            for (var i = 0; i < bits; i++)
            {
                packed[at + i] = (byte)(group >> (8 * i));
            }
        }

        return packed;
    }
}
