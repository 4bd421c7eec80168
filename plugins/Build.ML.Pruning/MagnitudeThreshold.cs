using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning;

/// <summary>
/// The magnitude up to which weights go so that exactly a given number of them goes, found in two passes over weights that need not be in memory together: the bits of
/// |w| as an integer are in the order of |w|, so one pass counts the upper 16 of them, the next the lower 16 where the upper ones are those of the threshold.
/// </summary>
internal sealed class MagnitudeThreshold
{
    private MagnitudeThreshold(uint bits, long[] ties)
    {
        Bits = bits;
        Ties = ties;
    }

    /// <summary>Bits of the threshold: weights whose |w| has lesser bits go.</summary>
    public uint Bits { get; }

    /// <summary>The threshold.</summary>
    public float Magnitude => BitConverter.UInt32BitsToSingle(Bits);

    /// <summary>For each tensor, how many of its first weights of exactly this magnitude go too.</summary>
    public IReadOnlyList<long> Ties { get; }

    /// <summary>Finds the threshold.</summary>
    /// <param name="weights">Float tensors.</param>
    /// <param name="count">How many weights of all go, 0 to all.</param>
    /// <param name="cancellation">Stops between tensors.</param>
    public static MagnitudeThreshold Find(IReadOnlyList<Tensor> weights, long count, CancellationToken cancellation)
    {
        var upper = new long[1 << 16];
        foreach (var tensor in weights)
        {
            cancellation.ThrowIfCancellationRequested();
            using var view = tensor.Read<uint>();
            foreach (var bits in view.Span)
            {
                upper[(bits & 0x7FFF_FFFF) >> 16]++;
            }
        }

        var (high, before) = Locate(upper, count);
        var lower = new long[weights.Count][];
        var all = new long[1 << 16];
        for (var t = 0; t < weights.Count; t++)
        {
            cancellation.ThrowIfCancellationRequested();
            lower[t] = CountLower(weights[t], (uint)high);
            for (var i = 0; i < all.Length; i++)
            {
                all[i] += lower[t][i];
            }
        }

        var (low, rest) = Locate(all, before);
        var ties = new long[weights.Count];
        for (var t = 0; t < ties.Length; t++)
        {
            ties[t] = Math.Min(rest, lower[t][low]);
            rest -= ties[t];
        }

        return new(((uint)high << 16) | (uint)low, ties);
    }

    private static long[] CountLower(Tensor weight, uint high)
    {
        var counts = new long[1 << 16];
        using var view = weight.Read<uint>();
        foreach (var bits in view.Span)
        {
            if ((bits & 0x7FFF_FFFF) >> 16 == high)
            {
                counts[bits & 0xFFFF]++;
            }
        }

        return counts;
    }

    // The first bucket that the count ends in, and how many of it are needed.
    private static (int Bucket, long Needed) Locate(long[] counts, long count)
    {
        var bucket = 0;
        while (bucket < counts.Length - 1 && count > counts[bucket])
        {
            count -= counts[bucket++];
        }

        return (bucket, count);
    }
}
