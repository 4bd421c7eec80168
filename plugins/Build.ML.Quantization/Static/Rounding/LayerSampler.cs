using System.Numerics.Tensors;
using Build.ML.Calibration;
using Build.ML.Graph.Ir;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>Takes a seeded sample of the rows that a layer reads in the real and in the quantized model, the same rows of both.</summary>
/// <param name="rows">The layer.</param>
/// <param name="wanted">Number of rows to take at most.</param>
/// <param name="seed">Decides which.</param>
internal sealed class LayerSampler(LayerRows rows, int wanted, int seed)
{
    // Floats that samples of one layer may take: 128 MB.
    private const long Budget = 1L << 25;

    /// <summary>One sample for each group.</summary>
    /// <param name="real">Runs the model before quantization; at the layer.</param>
    /// <param name="realInput">What the layer reads there.</param>
    /// <param name="quantized">Runs the quantized model; at the layer.</param>
    /// <param name="quantizedInput">What the layer reads there.</param>
    /// <param name="weights">W: [outputs, columns].</param>
    /// <param name="bias">b; empty for none.</param>
    public LayerSample[] Take(
        StreamedExecution real, Value realInput, StreamedExecution quantized, Value quantizedInput, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias)
    {
        var width = RowProducts.Padded(rows.Columns, RowProducts.Lanes);
        var limit = (int)Math.Clamp(Budget / ((long)rows.Groups * width), 2, wanted);
        var chosen = Choose([.. quantized.Activations(quantizedInput).Select(t => rows.Count(t.Sizes))], limit);
        var count = RowProducts.Padded(chosen.Sum(c => c.Length), 2);
        var inputs = Copy(quantized.Activations(quantizedInput), chosen, count, width);
        var exact = Copy(real.Activations(realInput), chosen, count, width);
        var outputs = weights.Length / rows.Columns / rows.Groups;
        var samples = new LayerSample[rows.Groups];
        for (var group = 0; group < samples.Length; group++)
        {
            var start = group * outputs;
            var targets = Targets(
                exact[group], weights.Slice(start * rows.Columns, outputs * rows.Columns), bias.IsEmpty ? bias : bias.Slice(start, outputs), outputs, width);
            exact[group] = [];
            samples[group] = new(count, width, inputs[group], outputs, targets);
        }

        return samples;
    }

    // Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2 S): each set of that many rows is as likely as any other.
    private (long Row, int Place)[][] Choose(long[] counts, int limit)
    {
        var random = new Random(seed);
        var total = counts.Sum();
        var places = Enumerable.Range(0, (int)Math.Min(total, limit)).ToArray();
        random.Shuffle(places);
        var chosen = new (long, int)[counts.Length][];
        var next = 0;
        for (var batch = 0; batch < counts.Length; batch++)
        {
            var own = new List<(long, int)>();
            for (long row = 0; row < counts[batch] && next < places.Length; row++, total--)
            {
                if (random.NextInt64(total) < places.Length - next)
                {
                    own.Add((row, places[next++]));
                }
            }

            chosen[batch] = [.. own];
        }

        return chosen;
    }

    private float[][] Copy(IEnumerable<Tensor> activations, (long Row, int Place)[][] chosen, int count, int width)
    {
        var to = Enumerable.Range(0, rows.Groups).Select(_ => new float[count * width]).ToArray();
        foreach (var (activation, own) in activations.Zip(chosen))
        {
            rows.Copy(activation, own, to, width);
        }

        return to;
    }

    private float[] Targets(float[] exact, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, int outputs, int width)
    {
        var padded = RowProducts.Padded(outputs, RowProducts.Outputs);
        var w = new float[padded * width];
        for (var o = 0; o < outputs; o++)
        {
            weights.Slice(o * rows.Columns, rows.Columns).CopyTo(w.AsSpan(o * width));
        }

        var count = exact.Length / width;
        var y = new float[count * padded];
        RowProducts.Forward(exact, w, y, width);
        var targets = new float[count * outputs];
        for (var r = 0; r < count; r++)
        {
            var to = targets.AsSpan(r * outputs, outputs);
            y.AsSpan(r * padded, outputs).CopyTo(to);
            if (!bias.IsEmpty)
            {
                TensorPrimitives.Add(to, bias, to);
            }
        }

        return targets;
    }
}
