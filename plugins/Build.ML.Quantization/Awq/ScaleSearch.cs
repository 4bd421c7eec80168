using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Awq;

/// <summary>
/// Activation-aware scales (Lin et al. 2023, arXiv 2306.00978, §3.2): s = x̄^α with x̄ the mean magnitude of each input channel, and with the weight's own magnitude w̄,
/// s = x̄^α / w̄^β for β of 0, α and 1 − α; divided by √(max s · min s). α is taken from a grid of [0, 1]. Each candidate is judged by ‖(W·s)_q·(x/s) − W·x‖² of the whole group over
/// the calibration data, which is tr(E·H·Eᵀ)/2 with E = (W·s)_q/s − W.
/// </summary>
internal sealed class ScaleSearch
{
    private const int Chunk = 64;
    private const int MostRows = 1024; // rows judged of a layer: enough for a mean, and candidates stay cheap for large layers

    private readonly int _channels;
    private readonly int _threads;
    private readonly List<(float[] Rows, BlockFormat Format)> _layers = [];
    private readonly float[] _weightMagnitude;

    /// <summary>Reads the weights of a group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="format">How its weights will be stored.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public ScaleSearch(LayerGroup group, BlockFormat format, int threads)
        : this(group.Layers.Select(l => (Sampled(l), l.Adapt(format))), group.Channels, threads)
    {
    }

    internal ScaleSearch(IEnumerable<(float[] Rows, BlockFormat Format)> layers, int channels, int threads)
    {
        (_channels, _threads) = (channels, threads);
        _layers.AddRange(layers);
        _weightMagnitude = MeanMagnitude();
    }

    /// <summary>The best scales on the grid.</summary>
    /// <param name="inputs">Calibration of the group's activation.</param>
    /// <param name="ties">Channels that must share a scale.</param>
    /// <param name="steps">Values of α besides 0.</param>
    /// <returns>Scales; the mean squared error with them, and without.</returns>
    public (float[] Scales, double Error, double ErrorWithout) Best(GroupInputs inputs, ChannelTies ties, int steps)
    {
        var x = Array.ConvertAll(inputs.MeanMagnitude, m => Math.Max(m, 1e-8f));
        var w = Array.ConvertAll(_weightMagnitude, m => Math.Max(m, 1e-8f));
        ties.Average(x);
        ties.Average(w);
        var best = Enumerable.Repeat(1f, _channels).ToArray();
        var without = Error(best, inputs.Hessian);
        var least = without;
        for (var step = 1; step <= steps; step++)
        {
            var alpha = (double)step / steps;
            foreach (var beta in new SortedSet<double> { 0, alpha, 1 - alpha })
            {
                var scales = new float[_channels];
                for (var i = 0; i < scales.Length; i++)
                {
                    scales[i] = (float)(Math.Pow(x[i], alpha) / Math.Pow(w[i], beta));
                }

                Normalize(scales);
                var error = Error(scales, inputs.Hessian);
                if (error < least)
                {
                    (best, least) = (scales, error);
                }
            }
        }

        return (best, least, without);
    }

    /// <summary>tr(E·H·Eᵀ)/2 of the group, weights multiplied by the scales before rounding and divided after.</summary>
    public double Error(float[] scales, FloatMatrix hessian)
    {
        var inverses = Array.ConvertAll(scales, s => 1 / s);
        var total = 0d;
        foreach (var (rows, format) in _layers)
        {
            var count = rows.Length / _channels;
            var sums = new double[(count + Chunk - 1) / Chunk];
            Parallel.For(0, sums.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(_threads, 1) }, chunk => sums[chunk] = ChunkError(rows, format, chunk, count, scales, inverses, hessian));
            total += sums.Sum();
        }

        return total;
    }

    /// <summary>Divides by √(max·min), so that scales neither grow nor shrink a layer.</summary>
    internal static void Normalize(Span<float> scales)
    {
        var middle = (float)Math.Sqrt((double)TensorPrimitives.Max<float>(scales) * TensorPrimitives.Min<float>(scales));
        TensorPrimitives.Divide(scales, middle, scales);
        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = Math.Clamp(scales[i], 1e-4f, 1e4f);
        }
    }

    private double ChunkError(float[] rows, BlockFormat format, int chunk, int count, float[] scales, float[] inverses, FloatMatrix hessian)
    {
        var first = chunk * Chunk;
        var height = Math.Min(Chunk, count - first);
        using var error = new FloatMatrix(height, _channels);
        using var scratch = new FloatMatrix(height, _channels);
        var scaled = new float[_channels];
        var codes = new byte[_channels];
        var blockScales = new float[format.Blocks(_channels)];
        var zeroPoints = new byte[format.Symmetric ? 0 : blockScales.Length];
        for (var i = 0; i < height; i++)
        {
            var row = rows.AsSpan((first + i) * _channels, _channels);
            TensorPrimitives.Multiply(row, scales, scaled);
            BlockKernels.RoundRow(format, scaled, codes, blockScales, zeroPoints);
            var e = error.Row(i);
            BlockKernels.DequantizeRow(format, codes, blockScales, zeroPoints, e);
            TensorPrimitives.Multiply(e, inverses, e);
            TensorPrimitives.Subtract(e, row, e);
        }

        return OutputError.Of(error, hessian, scratch, height);
    }

    private float[] MeanMagnitude()
    {
        var sums = new double[_channels];
        var count = 0;
        foreach (var (rows, _) in _layers)
        {
            for (var start = 0; start < rows.Length; start += _channels, count++)
            {
                for (var i = 0; i < _channels; i++)
                {
                    sums[i] += Math.Abs(rows[start + i]);
                }
            }
        }

        return Array.ConvertAll(sums, s => (float)(s / Math.Max(count, 1)));
    }

    private static float[] Sampled(WeightLayer layer)
    {
        using var reader = layer.Open();
        var count = Math.Min(layer.Rows, MostRows);
        var rows = new float[count * layer.Columns];
        if (count == layer.Rows)
        {
            reader.Read(0, count, 0, layer.Columns, rows);
            return rows;
        }

        for (var i = 0; i < count; i++)
        {
            reader.Read((int)((long)i * layer.Rows / count), 1, 0, layer.Columns, rows.AsSpan(i * layer.Columns, layer.Columns));
        }

        return rows;
    }
}
