using System.Numerics.Tensors;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>Options of <c>rounding: adaround</c>.</summary>
public sealed record AdaRoundOptions
{
    /// <summary>Steps of gradient descent for each layer. Default 2000.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 1_000_000)]
    public int Iterations { get; init; } = 2000;

    /// <summary>Rows (output positions of a convolution, tokens of a product) that a layer is fitted to. Default 8192.</summary>
    [System.ComponentModel.DataAnnotations.Range(2, 1_000_000)]
    public int Rows { get; init; } = 8192;

    /// <summary>Weight λ of the term that drives every weight to one of its neighbours, relative to the mean rounding noise of a weight. Default 1.</summary>
    [System.ComponentModel.DataAnnotations.Range(0d, 1000d)]
    public double Regularization { get; init; } = 1;
}

/// <summary>
/// Learns for each weight whether to round up or down so that the layer's output, not the weight, stays near (Nagel et al. 2020, "Up or Down? Adaptive Rounding for
/// Post-Training Quantization", arXiv 2004.10568): W̃ = s·clip(⌊W/s⌋ + h(V), n, p) with the rectified sigmoid h(V) = clip(σ(V)·(ζ − γ) + γ, 0, 1), ζ = 1.1, γ = −0.1, and V minimizing
/// ‖f(W·x + b) − f(W̃·x̂ + b)‖² + λ·Σ(1 − |2h(V) − 1|^β) by Adam, f being the activation that follows, x̂ the input as the quantized layers before yield it; β falls from 20
/// to 2. To be free of units, each output's error counts in multiples of the noise expected of rounding, s²/12·Σx̂², a weight of it. Outputs do not depend on each other.
/// What the descent found is improved weight by weight (<see cref="FlipSearch"/>), and so are the nearest integers; the better one is taken.
/// </summary>
/// <param name="options">See there.</param>
/// <param name="least">Least integer n.</param>
/// <param name="greatest">Greatest integer p.</param>
/// <param name="clip">f: the range that the activation after the layer keeps.</param>
internal sealed class AdaRound(AdaRoundOptions options, int least, int greatest, (float Minimum, float Maximum) clip)
{
    internal const float Zeta = 1.1f;
    internal const float Gamma = -0.1f;

    // Outputs fitted together: a band's weights, moments and gradients stay in the processor's cache.
    private const int Band = 16;
    private const int BatchSize = 128;

    // Adam with its usual moments; one step moves V by about this much.
    private const float Rate = 0.01f;
    private const float FirstMoment = 0.9f;
    private const float SecondMoment = 0.999f;

    // The first fifth has no regularization.
    private const double WarmUp = 0.2;
    private const double BetaStart = 20;
    private const double BetaEnd = 2;

    /// <summary>Rounds a weight.</summary>
    /// <param name="weights">W: [outputs, columns], not padded.</param>
    /// <param name="columns">Columns of W.</param>
    /// <param name="scales">s of each output.</param>
    /// <param name="bias">b of each output; empty for none.</param>
    /// <param name="sample">x̂ and W·x + b.</param>
    /// <param name="threads">Cores to use; the result does not depend on it.</param>
    /// <returns>Integers [outputs, columns].</returns>
    public sbyte[] Round(float[] weights, int columns, float[] scales, float[] bias, LayerSample sample, int threads)
    {
        var outputs = weights.Length / columns;
        var integers = new sbyte[weights.Length];
        var flips = new FlipSearch(sample, columns, clip);
        var squares = MeanSquare(sample, columns);
        Parallel.For(0, (outputs + Band - 1) / Band, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, band =>
        {
            var first = band * Band;
            var count = Math.Min(Band, outputs - first);
            var fit = new AdaRoundBand(this, sample, first, count, columns, squares);
            fit.Load(weights, scales, bias);
            for (var i = 0; i < options.Iterations; i++)
            {
                fit.Step(i, BatchOf(sample));
            }

            fit.Store(integers);
            for (var o = first; o < first + count; o++)
            {
                Finish(flips, o, weights.AsSpan(o * columns, columns), scales[o], bias.Length == 0 ? 0 : bias[o], integers.AsSpan(o * columns, columns));
            }
        });
        return integers;
    }

    // The better of where the descent and the nearest integers lead: never worse than the nearest on the sample.
    private void Finish(FlipSearch flips, int output, ReadOnlySpan<float> weights, float scale, float bias, Span<sbyte> integers)
    {
        var exact = new float[weights.Length];
        TensorPrimitives.Divide(weights, scale, exact);
        var nearest = new sbyte[exact.Length];
        for (var k = 0; k < nearest.Length; k++)
        {
            nearest[k] = (sbyte)Math.Clamp((int)MathF.Round(exact[k]), least, greatest);
        }

        if (flips.Improve(output, exact, scale, bias, nearest, (least, greatest)) < flips.Improve(output, exact, scale, bias, integers, (least, greatest)))
        {
            nearest.CopyTo(integers);
        }
    }

    internal (float Minimum, float Maximum) Clip => clip;

    internal int Least => least;

    internal int Greatest => greatest;

    /// <summary>λ and β of a step; λ is 0 during the warm-up.</summary>
    internal (float Lambda, float Beta) Schedule(int step)
    {
        var warmUp = (int)(options.Iterations * WarmUp);
        if (step < warmUp)
        {
            return (0, (float)BetaStart);
        }

        // The cosine of the authors' own runs: slow at both ends.
        var progress = (step - warmUp) / (double)Math.Max(options.Iterations - warmUp, 1);
        return ((float)options.Regularization, (float)(BetaEnd + (BetaStart - BetaEnd) * 0.5 * (1 + Math.Cos(Math.PI * progress))));
    }

    /// <summary>h(V).</summary>
    internal static void Rectified(ReadOnlySpan<float> v, Span<float> sigmoid, Span<float> h)
    {
        TensorPrimitives.Sigmoid(v, sigmoid);
        TensorPrimitives.Multiply(sigmoid, Zeta - Gamma, h);
        TensorPrimitives.Add(h, Gamma, h);
        TensorPrimitives.Max(h, 0f, h);
        TensorPrimitives.Min(h, 1f, h);
    }

    internal static (float Rate, float First, float Second) Adam => (Rate, FirstMoment, SecondMoment);

    private static int BatchOf(LayerSample sample) => Math.Min(BatchSize, sample.Rows);

    private static float MeanSquare(LayerSample sample, int columns) =>
        (float)(SumOfSquares(sample.Inputs) / sample.Rows / columns);

    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        var sum = 0d;
        for (var start = 0; start < values.Length; start += 4096)
        {
            sum += TensorPrimitives.SumOfSquares(values.Slice(start, Math.Min(4096, values.Length - start)));
        }

        return sum;
    }
}
