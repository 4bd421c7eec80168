using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Weights;

/// <summary>
/// Fits scales to weights and rounds them. One tensor at a time is in memory; the integers are computed again whenever they are asked for, which is
/// when the model is saved. Results do not depend on the number of threads.
/// </summary>
/// <param name="format">How weights are stored.</param>
/// <param name="threads">Cores to use.</param>
internal sealed class WeightQuantizer(WeightFormat format, int threads)
{
    private readonly ParallelOptions _parallel = new() { MaxDegreeOfParallelism = Math.Max(threads, 1) };

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format => format;

    /// <summary>The same with one scale a tensor.</summary>
    public WeightQuantizer PerTensor() => new(format with { Granularity = Granularity.PerTensor }, threads);

    /// <summary>Reads a weight once to fit its scales and once more, still in the cache, to know the error they make.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="weight">Float tensor.</param>
    /// <param name="axis">Channel axis; ignored where the format has one scale a tensor.</param>
    /// <exception cref="DiagnosticException">BML5403: a weight is NaN or infinite.</exception>
    public WeightScales Fit(string name, Tensor weight, int axis)
    {
        var layout = ChannelLayout.Of(weight.Sizes, format.Granularity == Granularity.PerChannel ? axis : null);
        if (layout.Count == 0)
        {
            return new WeightScales(format, layout, new float[layout.Channels], new float[layout.Channels], 0, 0);
        }

        using var view = weight.Read<float>();
        var (minima, maxima) = Extremes(name, view.Span, layout);
        var scales = new float[layout.Channels];
        var zeroPoints = new float[layout.Channels];
        for (var channel = 0; channel < scales.Length; channel++)
        {
            var parameters = format.Parameters(minima[channel], maxima[channel]);
            (scales[channel], zeroPoints[channel]) = (parameters.Scale, parameters.ZeroPoint);
        }

        if (format.Bits < 8)
        {
            LowBitScales.Fit(view.Span, layout, format, minima, maxima, scales, threads);
        }

        var fitted = new WeightScales(format, layout, scales, zeroPoints, 0, 0);
        var (signal, noise) = Error(view.Span, fitted);
        return fitted with { Signal = signal, Noise = noise };
    }

    /// <summary>The error that given scales make.</summary>
    public WeightScales Measure(Tensor weight, WeightScales scales)
    {
        using var view = weight.Read<float>();
        var (signal, noise) = Error(view.Span, scales);
        return scales with { Signal = signal, Noise = noise };
    }

    /// <summary>The weight as integers, in the weight's own order, computed when asked for.</summary>
    public Tensor Quantized(Tensor weight, WeightScales scales) =>
        new(format.Type.ElementType(), weight.Sizes.AsSpan(), new QuantizedContent(weight, scales, threads));

    /// <summary>A matrix as integers with rows and columns exchanged, computed when asked for.</summary>
    public Tensor QuantizedTransposed(Tensor weight, WeightScales scales) => new(
        format.Type.ElementType(), [weight.Sizes[1], weight.Sizes[0]], new TransposedContent(weight, scales, threads));

    private unsafe (float[] Minima, float[] Maxima) Extremes(string name, ReadOnlySpan<float> weights, ChannelLayout layout)
    {
        var minima = NewArray(layout.Channels, float.PositiveInfinity);
        var maxima = NewArray(layout.Channels, float.NegativeInfinity);
        var broken = 0;
        var merging = new Lock();
        fixed (float* x = weights)
        {
            var address = x;
            var size = layout.ChunkSize;
            Parallel.For(
                0,
                (layout.Count + size - 1) / size,
                _parallel,
                () => (Low: NewArray(layout.Channels, float.PositiveInfinity), High: NewArray(layout.Channels, float.NegativeInfinity)),
                (chunk, _, local) =>
                {
                    var values = new ReadOnlySpan<float>(address, layout.Count);
                    foreach (var segment in layout.Segments(chunk * size, Math.Min(size, layout.Count - chunk * size)))
                    {
                        var part = values.Slice(segment.Start, segment.Length);
                        var finite = segment.IsRow
                            ? FiniteExtremes.WidenByColumn(part, local.Low, local.High)
                            : FiniteExtremes.Widen(part, ref local.Low[segment.Channel], ref local.High[segment.Channel]);
                        if (!finite)
                        {
                            Interlocked.Exchange(ref broken, 1);
                        }
                    }

                    return local;
                },
                local =>
                {
                    lock (merging)
                    {
                        for (var i = 0; i < minima.Length; i++)
                        {
                            minima[i] = Math.Min(minima[i], local.Low[i]);
                            maxima[i] = Math.Max(maxima[i], local.High[i]);
                        }
                    }
                });
        }

        return broken == 0
            ? (minima, maxima)
            : throw new DiagnosticException(
                "BML5403",
                $"The weight '{name}' holds NaN or infinite numbers, which no integer can stand for. Mend the model, or exclude the layer.");
    }

    private unsafe (double Signal, double Noise) Error(ReadOnlySpan<float> weights, WeightScales scales)
    {
        var layout = scales.Layout;
        var inverses = scales.Inverses();
        var size = layout.ChunkSize;
        var sums = new (double Signal, double Noise)[(layout.Count + size - 1) / size];
        int least = scales.Least, greatest = scales.Greatest;
        fixed (float* x = weights)
        {
            var address = x;
            Parallel.For(0, sums.Length, _parallel, chunk =>
            {
                var values = new ReadOnlySpan<float>(address, layout.Count);
                double signal = 0, noise = 0;
                foreach (var segment in layout.Segments(chunk * size, Math.Min(size, layout.Count - chunk * size)))
                {
                    var (first, count) = segment.IsRow ? (0, layout.Channels) : (segment.Channel, 1);
                    WeightKernels.AddError(
                        values.Slice(segment.Start, segment.Length),
                        inverses.AsSpan(first, count),
                        scales.Scales.AsSpan(first, count),
                        scales.ZeroPoints.AsSpan(first, count),
                        least,
                        greatest,
                        ref signal,
                        ref noise);
                }

                sums[chunk] = (signal, noise);
            });
        }

        // Summed in the order of the weights, whichever thread took which chunk.
        var total = (Signal: 0d, Noise: 0d);
        foreach (var sum in sums)
        {
            total = (total.Signal + sum.Signal, total.Noise + sum.Noise);
        }

        return total;
    }

    private static float[] NewArray(int length, float value)
    {
        var array = GC.AllocateUninitializedArray<float>(length);
        Array.Fill(array, value);
        return array;
    }
}
