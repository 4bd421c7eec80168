namespace Build.ML.Pruning.Gradual;

/// <summary>Chooses the weights that count least: exactly as many as asked for, of equal ones the first.</summary>
internal static class MaskChoice
{
    /// <summary>Over several weights together.</summary>
    /// <param name="weights">Get new masks.</param>
    /// <param name="sparsity">Share that goes, 0 to 1.</param>
    public static void Least(IReadOnlyList<GradualWeight> weights, double sparsity)
    {
        var importances = new float[weights.Count][];
        var upper = new long[1 << 16];
        long count = 0;
        for (var w = 0; w < weights.Count; w++)
        {
            weights[w].Importance(importances[w] = new float[weights[w].Count]);
            count += weights[w].Count;
            foreach (var importance in importances[w])
            {
                upper[Order(importance) >> 16]++;
            }
        }

        // Two passes over a key whose order is that of the numbers: its upper half, then the lower one where the upper is that of the threshold.
        var (high, rest) = Locate(upper, (long)Math.Round(count * sparsity));
        var lower = new long[1 << 16];
        foreach (var part in importances)
        {
            foreach (var importance in part)
            {
                if (Order(importance) >> 16 == (uint)high)
                {
                    lower[Order(importance) & 0xFFFF]++;
                }
            }
        }

        var (low, ties) = Locate(lower, rest);
        var threshold = ((uint)high << 16) | (uint)low;
        for (var w = 0; w < weights.Count; w++)
        {
            var mask = weights[w].Mask;
            for (var i = 0; i < mask.Length; i++)
            {
                var order = Order(importances[w][i]);
                mask[i] = order < threshold || (order == threshold && ties-- > 0) ? 0 : uint.MaxValue;
            }
        }
    }

    /// <summary>In every group of consecutive weights along the axis that products are summed over.</summary>
    /// <param name="weight">Gets a new mask.</param>
    /// <param name="keep">How many of a group stay.</param>
    /// <param name="of">Size of a group; a last, shorter one keeps as many.</param>
    public static void InGroups(GradualWeight weight, int keep, int of)
    {
        var mask = weight.Mask;
        var (importance, inner) = (new float[weight.Count], weight.Inner);
        weight.Importance(importance);
        mask.Fill(uint.MaxValue);
        for (var start = 0; start < weight.Count; start += weight.Length * inner)
        {
            for (var first = 0; first < weight.Length; first += of)
            {
                var size = Math.Min(of, weight.Length - first);
                for (var i = 0; i < inner; i++)
                {
                    for (var n = size; n > keep; n--)
                    {
                        RemoveLeast(importance, mask, start + first * inner + i, size, inner);
                    }
                }
            }
        }
    }

    private static void RemoveLeast(ReadOnlySpan<float> importance, Span<uint> mask, int start, int size, int inner)
    {
        var least = -1;
        for (var j = 0; j < size; j++)
        {
            var at = start + j * inner;
            if (mask[at] != 0 && (least < 0 || importance[at] <= importance[least]))
            {
                least = at;
            }
        }

        mask[least] = 0;
    }

    // Unsigned integers in the order of the numbers: negative ones with all bits turned, others above them.
    private static uint Order(float number)
    {
        var bits = BitConverter.SingleToUInt32Bits(number);
        return (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
    }

    // The bucket in which a count is reached, and how many of it are needed.
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
