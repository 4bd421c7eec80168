using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.SmoothQuant;

/// <summary>
/// Scales that move the difficulty of rounding from activations to weights (Xiao et al. 2022, arXiv 2211.10438, eq. 4): s_j = max|X_j|^α / max|W_j|^(1−α). The migration strength α is given, or the
/// one of a grid with which 8-bit activations (one range for all) times 8-bit weights (one scale an output) come nearest to the float outputs on sampled rows of the calibration data.
/// </summary>
internal sealed class SmoothingSearch
{
    private readonly int _channels;
    private readonly int _threads;
    private readonly IReadOnlyList<float[]> _weights;
    private readonly float[] _largestWeight;

    /// <summary>Reads the weights of a group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public SmoothingSearch(LayerGroup group, int threads)
        : this([.. group.Layers.Select(Read)], group.Channels, threads)
    {
    }

    internal SmoothingSearch(IReadOnlyList<float[]> weights, int channels, int threads)
    {
        (_weights, _channels, _threads) = (weights, channels, threads);
        _largestWeight = new float[channels];
        foreach (var w in weights)
        {
            for (var i = 0; i < w.Length; i++)
            {
                _largestWeight[i % channels] = Math.Max(_largestWeight[i % channels], Math.Abs(w[i]));
            }
        }
    }

    /// <summary>The scales of a migration strength.</summary>
    /// <param name="largest">max|X_j| of each channel.</param>
    /// <param name="ties">Channels that must share a scale: that of their largest.</param>
    /// <param name="alpha">0 leaves all difficulty to activations, 1 moves it to weights.</param>
    public float[] Scales(float[] largest, ChannelTies ties, double alpha)
    {
        var x = Together(largest, ties);
        var w = Together(_largestWeight, ties);
        var scales = new float[_channels];
        for (var i = 0; i < scales.Length; i++)
        {
            // A channel that is always 0, or that no weight reads, needs no scale.
            scales[i] = x[i] > 0 && w[i] > 0 ? (float)Math.Clamp(Math.Pow(x[i], alpha) / Math.Pow(w[i], 1 - alpha), 1e-5, 1e5) : 1;
        }

        return scales;
    }

    /// <summary>The strength of the least output error on a grid.</summary>
    /// <param name="rows">Sampled inputs, [n, channels].</param>
    /// <param name="largest">max|X_j| of each channel over all data.</param>
    /// <param name="ties">Channels that must share a scale.</param>
    /// <param name="steps">Strengths tried besides 0, over [0, 1].</param>
    /// <returns>The strength, its scales, and the squared output error with them and without any.</returns>
    public (double Alpha, float[] Scales, double Error, double ErrorWithout) Best(float[] rows, float[] largest, ChannelTies ties, int steps)
    {
        var ones = Enumerable.Repeat(1f, _channels).ToArray();
        var without = Error(rows, ones);
        var best = (Alpha: double.NaN, Scales: ones, Error: without);
        for (var step = 0; step <= steps; step++)
        {
            var alpha = (double)step / steps;
            var scales = Scales(largest, ties, alpha);
            var error = Error(rows, scales);
            if (error < best.Error)
            {
                best = (alpha, scales, error);
            }
        }

        return (best.Alpha, best.Scales, best.Error, without);
    }

    /// <summary>‖Q(X/s)·Q(W·s)ᵀ − X·Wᵀ‖² of the group.</summary>
    public double Error(float[] rows, float[] scales)
    {
        var x = (float[])rows.Clone();
        for (var start = 0; start < x.Length; start += _channels)
        {
            var row = x.AsSpan(start, _channels);
            TensorPrimitives.Divide(row, scales, row);
        }

        RoundTogether(x);
        var total = 0d;
        foreach (var weights in _weights)
        {
            var w = (float[])weights.Clone();
            for (var start = 0; start < w.Length; start += _channels)
            {
                var row = w.AsSpan(start, _channels);
                TensorPrimitives.Multiply(row, scales, row);
                var step = TensorPrimitives.MaxMagnitude<float>(row) / 127;
                Round(row, Math.Abs(step), 0, -127, 127);
            }

            total += Difference(x, w, rows, weights);
        }

        return total;
    }

    // One range for the whole activation, widened to hold 0: 256 codes.
    private static void RoundTogether(float[] x)
    {
        var low = Math.Min(TensorPrimitives.Min<float>(x), 0);
        var high = Math.Max(TensorPrimitives.Max<float>(x), 0);
        var step = (high - low) / 255;
        Round(x, step, step > 0 ? MathF.Round(-low / step) : 0, 0, 255);
    }

    private static void Round(Span<float> x, float step, float zeroPoint, int least, int greatest)
    {
        if (step == 0)
        {
            return;
        }

        for (var i = 0; i < x.Length; i++)
        {
            x[i] = (Math.Clamp(MathF.Round(x[i] / step) + zeroPoint, least, greatest) - zeroPoint) * step;
        }
    }

    private unsafe double Difference(float[] x, float[] w, float[] rows, float[] weights)
    {
        var (n, m) = (x.Length / _channels, w.Length / _channels);
        var y = new float[n * m];
        fixed (float* px = x, pw = w, pr = rows, po = weights, py = y)
        {
            var result = new MatrixView(py, n, m, m, 1);
            MatrixProduct.Add(result, new MatrixView(px, n, _channels, _channels, 1), new MatrixView(pw, m, _channels, _channels, 1).Transposed, 1, threads: _threads);
            MatrixProduct.Add(result, new MatrixView(pr, n, _channels, _channels, 1), new MatrixView(po, m, _channels, _channels, 1).Transposed, -1, threads: _threads);
        }

        var sum = 0d;
        for (var row = 0; row < n; row++)
        {
            sum += TensorPrimitives.SumOfSquares<float>(y.AsSpan(row * m, m));
        }

        return sum;
    }

    private static float[] Together(float[] figures, ChannelTies ties)
    {
        var largest = (float[])figures.Clone();
        for (var i = 0; i < figures.Length; i++)
        {
            largest[ties.Of(i)] = Math.Max(largest[ties.Of(i)], figures[i]);
        }

        return [.. largest.Select((_, i) => largest[ties.Of(i)])];
    }

    private static float[] Read(WeightLayer layer)
    {
        var weights = new float[layer.Rows * layer.Columns];
        layer.Read(0, layer.Rows, weights);
        return weights;
    }
}
