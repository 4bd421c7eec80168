using System.Runtime.InteropServices;

namespace Build.ML.Quantization.Weights;

/// <summary>
/// Scales for weights of 2 to 4 bits: of 100 that clip up to three quarters of a channel's range, the one with the least Σ(w − ŵ)². With so few integers the greatest weight
/// is not worth a coarse step for all others.
/// </summary>
internal static class LowBitScales
{
    private const int Candidates = 100;
    private const int Least = 25;

    /// <summary>Fills in the scales of all channels.</summary>
    public static unsafe void Fit(
        ReadOnlySpan<float> weights, ChannelLayout layout, WeightFormat format, float[] minima, float[] maxima, float[] scales, int threads)
    {
        fixed (float* x = weights)
        {
            var address = x;
            Parallel.For(0, layout.Channels, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, channel =>
            {
                var values = Channel(new ReadOnlySpan<float>(address, layout.Count), layout, channel);
                scales[channel] = Best(values, format, Math.Max(Math.Max(-minima[channel] / -format.Least, maxima[channel] / format.Greatest), 0));
            });
        }
    }

    private static float Best(ReadOnlySpan<float> values, WeightFormat format, float widest)
    {
        if (widest < 1.2e-38f)
        {
            return 1; // zeros: any scale is exact
        }

        var best = (Scale: widest, Noise: double.PositiveInfinity);
        Span<float> inverse = [0], scale = [0], zero = [0];
        for (var k = Candidates; k >= Least; k--)
        {
            scale[0] = widest * k / Candidates;
            inverse[0] = 1 / scale[0];
            double signal = 0, noise = 0;
            WeightKernels.AddError(values, inverse, scale, zero, format.Least, format.Greatest, ref signal, ref noise);
            if (noise < best.Noise)
            {
                best = (scale[0], noise);
            }
        }

        return best.Scale;
    }

    private static ReadOnlySpan<float> Channel(ReadOnlySpan<float> weights, ChannelLayout layout, int channel)
    {
        if (layout.Outer == 1)
        {
            return weights.Slice(channel * layout.Inner, layout.Inner);
        }

        var values = new List<float>(layout.Outer * layout.Inner);
        for (var outer = 0; outer < layout.Outer; outer++)
        {
            values.AddRange(weights.Slice((outer * layout.Channels + channel) * layout.Inner, layout.Inner));
        }

        return CollectionsMarshal.AsSpan(values);
    }
}
