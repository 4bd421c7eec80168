namespace Build.ML.Quantization.Weights;

/// <summary>A weight as a matrix [channels, weights of a channel], whichever axis its channels are on.</summary>
internal static class WeightRows
{
    /// <summary>Copies a weight into rows.</summary>
    public static T[] Of<T>(ReadOnlySpan<T> weight, ChannelLayout layout)
    {
        var rows = new T[weight.Length];
        for (var outer = 0; outer < layout.Outer; outer++)
        {
            for (var channel = 0; channel < layout.Channels; channel++)
            {
                weight.Slice((outer * layout.Channels + channel) * layout.Inner, layout.Inner)
                    .CopyTo(rows.AsSpan((channel * layout.Outer + outer) * layout.Inner));
            }
        }

        return rows;
    }

    /// <summary>Copies rows back into the weight's own order.</summary>
    public static void Restore<T>(ReadOnlySpan<T> rows, ChannelLayout layout, Span<T> weight)
    {
        for (var outer = 0; outer < layout.Outer; outer++)
        {
            for (var channel = 0; channel < layout.Channels; channel++)
            {
                rows.Slice((channel * layout.Outer + outer) * layout.Inner, layout.Inner)
                    .CopyTo(weight[((outer * layout.Channels + channel) * layout.Inner)..]);
            }
        }
    }
}
