using System.Collections.Immutable;

namespace Build.ML.Quantization.Weights;

/// <summary>A weight seen as [<paramref name="Outer"/>, <paramref name="Channels"/>, <paramref name="Inner"/>], row-major.</summary>
/// <param name="Outer">Product of the sizes before the channel axis.</param>
/// <param name="Channels">Size of the channel axis; 1 when the whole tensor is one channel.</param>
/// <param name="Inner">Product of the sizes after it.</param>
internal readonly record struct ChannelLayout(int Outer, int Channels, int Inner)
{
    /// <summary>Number of weights.</summary>
    public int Count => Outer * Channels * Inner;

    /// <summary>The layout of a tensor.</summary>
    /// <param name="sizes">Sizes of the weight.</param>
    /// <param name="axis">The channel axis, or null to take the tensor as one channel.</param>
    public static ChannelLayout Of(ImmutableArray<long> sizes, int? axis)
    {
        long outer = 1, inner = 1;
        for (var i = 0; i < sizes.Length; i++)
        {
            if (axis is null || i > axis)
            {
                inner *= sizes[i];
            }
            else if (i < axis)
            {
                outer *= sizes[i];
            }
        }

        return new(checked((int)outer), axis is { } a ? checked((int)sizes[a]) : 1, checked((int)inner));
    }
}
