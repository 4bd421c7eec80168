using Build.ML.Calibration.Statistics;

namespace Build.ML.Quantization.Calibration;

/// <summary>
/// The range whose quantized distribution tells least apart from the real one: of thresholds t, the one with the least Kullback–Leibler divergence between
/// the histogram clipped to [−t, t] and the same spread over as many levels as the integer type has (Migacz 2017, "8-bit Inference with TensorRT").
/// Exact zeros, which cost nothing under any range, are left out of both.
/// </summary>
[Calibrator("entropy")]
internal sealed class EntropyCalibrator : Calibrator
{
    // Thresholds are tried this many bins apart: 1/256 to 1/128 of the range.
    private const int Stride = 16;

    // What stands, in values, for a bin that is empty in Q but not in P.
    private const double Trace = 1e-4;

    /// <inheritdoc/>
    public override ActivationRange Choose(ActivationHistogram seen, CalibrationTarget target)
    {
        var bins = seen.Bins.ToArray();
        if (bins.Length <= target.Levels || seen.Zeros == seen.Count)
        {
            return new(seen.Minimum, seen.Maximum);
        }

        bins[-seen.First] -= seen.Zeros;
        var zero = -seen.First; // values below 0 are in the bins before it
        var reach = Math.Max(zero, bins.Length - zero);
        var best = (Divergence: double.PositiveInfinity, From: 0, To: bins.Length);
        for (var threshold = reach; threshold >= 1; threshold -= Stride)
        {
            int from = Math.Max(zero - threshold, 0), to = Math.Min(zero + threshold, bins.Length);
            if (to - from < target.Levels)
            {
                break;
            }

            var divergence = Divergence(bins, from, to, target.Levels);
            if (divergence < best.Divergence)
            {
                best = (divergence, from, to);
            }
        }

        return new(
            (float)Math.Max(seen.Minimum, (seen.First + best.From) * seen.Width),
            (float)Math.Min(seen.Maximum, (seen.First + best.To) * seen.Width));
    }

    /// <summary>
    /// KL(P‖Q) in nats: P the bins [from, to) with what lies outside added to the outermost; Q the same bins without it, in each level the mean over the bins
    /// that are not empty, and a trace in an empty outermost bin, so that a few outliers cost little and many cost much.
    /// </summary>
    internal static double Divergence(ReadOnlySpan<long> bins, int from, int to, int levels)
    {
        long below = Sum(bins[..from]), above = Sum(bins[to..]), inside = Sum(bins[from..to]);
        double all = below + inside + above;
        if (inside == 0)
        {
            return double.PositiveInfinity;
        }

        var width = to - from;
        var divergence = 0d;
        for (var level = 0; level < levels; level++)
        {
            var start = from + (int)((long)level * width / levels);
            var end = from + (int)((long)(level + 1) * width / levels);
            long sum = 0;
            var filled = 0;
            for (var i = start; i < end; i++)
            {
                sum += bins[i];
                filled += bins[i] != 0 ? 1 : 0;
            }

            var mean = filled == 0 ? 0 : (double)sum / filled / inside;
            for (var i = start; i < end; i++)
            {
                var count = bins[i] + (i == from ? below : 0) + (i == to - 1 ? above : 0);
                if (count == 0)
                {
                    continue;
                }

                var p = count / all;
                divergence += p * Math.Log(p / (bins[i] == 0 ? Trace / inside : mean));
            }
        }

        return divergence;
    }

    private static long Sum(ReadOnlySpan<long> counts)
    {
        long sum = 0;
        foreach (var count in counts)
        {
            sum += count;
        }

        return sum;
    }
}
