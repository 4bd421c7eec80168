using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Descends on <see cref="RotationSearch"/> with Adam (Kingma and Ba 2014, arXiv 1412.6980) in the tangent space of the orthogonal matrices, R ← R·exp(−A) with A skew, and in the logarithms of
/// scales. The best transforms met are kept. Deterministic.
/// </summary>
/// <param name="search">The error.</param>
/// <param name="keepsMean">For each stream, whether its rotation must map the vector of ones to itself.</param>
/// <param name="ties">For each group, channels that must share a scale.</param>
internal sealed class TransformDescent(RotationSearch search, IReadOnlyList<bool> keepsMean, IReadOnlyList<ChannelTies> ties)
{
    private const double RotationRate = 0.02;
    private const double ScaleRate = 0.01;
    private const double First = 0.9;
    private const double Second = 0.999;

    /// <summary>Descends.</summary>
    /// <param name="start">Changed.</param>
    /// <param name="iterations">Steps.</param>
    /// <param name="progress">Gets the share of steps done.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>The best transforms, and the error at the start and there.</returns>
    public (Transforms Best, double Before, double After) Run(Transforms start, int iterations, Action<double> progress, CancellationToken cancellation)
    {
        var gradient = Copy(start);
        var best = Copy(start);
        var (before, least) = (0d, double.PositiveInfinity);
        var moments = new Dictionary<float[], (double[] Mean, double[] Square)>(ReferenceEqualityComparer.Instance);
        for (var step = 0; step <= iterations; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            progress((double)step / Math.Max(iterations, 1));
            var error = search.Error(start, step < iterations ? gradient : null);
            before = step == 0 ? error : before;
            if (error < least)
            {
                (best, least) = (Copy(start), error);
            }

            if (step == iterations)
            {
                break;
            }

            // Cosine decay: the error is jagged, small steps at the end settle.
            var rate = 0.5 * (1 + Math.Cos(Math.PI * step / iterations));
            for (var i = 0; i < start.Streams.Length; i++)
            {
                Turn(start.Streams[i], gradient.Streams[i], keepsMean[i], rate * RotationRate, moments, step + 1);
            }

            foreach (var (matrix, g) in start.Heads.Zip(gradient.Heads).SelectMany(h => h.First.Zip(h.Second)))
            {
                Turn(matrix, g, false, rate * RotationRate, moments, step + 1);
            }

            for (var i = 0; i < start.Scales.Length; i++)
            {
                if (start.Scales[i] is { } scales)
                {
                    ties[i].Average(gradient.Scales[i]);
                    Scale(scales, gradient.Scales[i]!, rate * ScaleRate, moments, step + 1);
                }
            }
        }

        return (best, before, least);
    }

    private static Transforms Copy(Transforms t) => new(
        [.. t.Streams.Select(s => (float[])s.Clone())], [.. t.Heads.Select(a => a.Select(h => (float[])h.Clone()).ToArray())], [.. t.Scales.Select(s => (float[]?)s?.Clone())]);

    private static void Scale(float[] scales, float[] gradient, double rate, Dictionary<float[], (double[], double[])> moments, int step)
    {
        var direction = Adam(scales, Array.ConvertAll(gradient, g => (double)g), moments, step);
        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = (float)Math.Clamp(scales[i] * Math.Exp(-rate * direction[i]), 1e-3, 1e3);
        }
    }

    // The tangent at R: A = RᵀG − GᵀR.
    private static void Turn(float[] r, float[] g, bool keepsMean, double rate, Dictionary<float[], (double[], double[])> moments, int step)
    {
        var n = (int)Math.Round(Math.Sqrt(r.Length));
        var product = new double[n * n];
        for (var k = 0; k < n; k++)
        {
            for (var i = 0; i < n; i++)
            {
                var left = r[k * n + i];
                for (var j = 0; j < n; j++)
                {
                    product[i * n + j] += (double)left * g[k * n + j];
                }
            }
        }

        var skew = new double[n * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
            {
                skew[i * n + j] = product[i * n + j] - product[j * n + i];
            }
        }

        var direction = Adam(r, skew, moments, step);
        if (keepsMean)
        {
            Centre(direction, n);
        }

        // R·(I − A + A²/2), then back onto the orthogonal matrices.
        var turned = new double[n * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
            {
                turned[i * n + j] = -rate * direction[i * n + j];
            }
        }

        var first = Times(r, turned, n);
        var second = Times(Array.ConvertAll(first, x => (float)x), turned, n);
        var next = new float[n * n];
        for (var i = 0; i < next.Length; i++)
        {
            next[i] = (float)(r[i] + first[i] + second[i] / 2);
        }

        OrthogonalMatrix.Orthogonalized(next, n).CopyTo(r, 0);
    }

    // P·A·P with P = I − 1·1ᵀ/n: what is left turns about the vector of ones.
    private static void Centre(double[] a, int n)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            var (outer, inner) = pass == 0 ? (n, 1) : (1, n);
            for (var i = 0; i < n; i++)
            {
                var mean = 0d;
                for (var j = 0; j < n; j++)
                {
                    mean += a[i * outer + j * inner] / n;
                }

                for (var j = 0; j < n; j++)
                {
                    a[i * outer + j * inner] -= mean;
                }
            }
        }
    }

    private static double[] Times(float[] a, double[] b, int n)
    {
        var c = new double[n * n];
        for (var i = 0; i < n; i++)
        {
            for (var k = 0; k < n; k++)
            {
                var left = a[i * n + k];
                for (var j = 0; j < n; j++)
                {
                    c[i * n + j] += left * b[k * n + j];
                }
            }
        }

        return c;
    }

    private static double[] Adam(float[] key, double[] gradient, Dictionary<float[], (double[] Mean, double[] Square)> moments, int step)
    {
        if (!moments.TryGetValue(key, out var m))
        {
            moments.Add(key, m = (new double[gradient.Length], new double[gradient.Length]));
        }

        var direction = new double[gradient.Length];
        for (var i = 0; i < gradient.Length; i++)
        {
            m.Mean[i] = First * m.Mean[i] + (1 - First) * gradient[i];
            m.Square[i] = Second * m.Square[i] + (1 - Second) * gradient[i] * gradient[i];
            var mean = m.Mean[i] / (1 - Math.Pow(First, step));
            var square = m.Square[i] / (1 - Math.Pow(Second, step));
            direction[i] = mean / (Math.Sqrt(square) + 1e-12);
        }

        return direction;
    }
}
