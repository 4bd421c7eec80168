namespace Build.ML.Architectures.Depthwise;

/// <summary>
/// The depthwise separable weights nearest to those of a convolution. Each input channel's weights are a matrix M [outputs, kernel]; the
/// two convolutions in its place compute
/// Σᵣ pᵣ·dᵣᵀ with a kernel d and a column p of the 1×1 weight for each of <c>multiplier</c> r. The nearest such matrix in the sum of
/// squares has the singular vectors of the
/// greatest singular values (Eckart and Young: The approximation of one matrix by another of lower rank, 1936), which are eigenvectors v of
/// the small MᵀM: d = v·√σ, p = M·v/√σ.
/// </summary>
sealed class SeparableApproximation
{
    private SeparableApproximation(float[] depthwise, float[] pointwise, double kept) => (Depthwise, Pointwise, Kept) = (depthwise, pointwise, kept);

    /// <summary>[inputs · multiplier, kernel].</summary>
    internal float[] Depthwise { get; }

    /// <summary>[outputs, inputs · multiplier].</summary>
    internal float[] Pointwise { get; }

    /// <summary>Share of the sum of squared weights that is kept, 0 to 1.</summary>
    internal double Kept { get; }

    /// <summary>Approximates a weight.</summary>
    /// <param name="weight">[outputs, inputs, kernel].</param>
    /// <param name="layer">Its sizes.</param>
    /// <param name="multiplier">Kernels of a channel, at most the elements of a kernel.</param>
    /// <param name="threads">Cores to use; the result does not depend on them.</param>
    /// <param name="cancellation">Stops it.</param>
    internal static SeparableApproximation Of(float[] weight, SeparableLayer layer, int multiplier, int threads, CancellationToken cancellation)
    {
        var (depthwise, pointwise) = (new float[layer.Inputs * multiplier * layer.Kernel], new float[layer.Outputs * layer.Inputs * multiplier]);
        var (all, kept) = (new double[layer.Inputs], new double[layer.Inputs]);
        Parallel.For(0, layer.Inputs, new() { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, channel =>
            (all[channel], kept[channel]) = Approximate(weight, layer, multiplier, channel, depthwise, pointwise));
        var total = all.Sum();
        return new(depthwise, pointwise, total > 0 ? Math.Clamp(kept.Sum() / total, 0, 1) : 1);
    }

    private static (double All, double Kept) Approximate(
        float[] weight, SeparableLayer layer, int multiplier, int channel, float[] depthwise, float[] pointwise)
    {
        var (size, step) = (layer.Kernel, layer.Inputs * layer.Kernel);
        var gram = new double[size * size];
        for (var o = 0; o < layer.Outputs; o++)
        {
            var row = weight.AsSpan((o * step) + (channel * size), size);
            for (var i = 0; i < size; i++)
            {
                for (var j = 0; j <= i; j++)
                {
                    gram[(i * size) + j] += (double)row[i] * row[j];
                }
            }
        }

        var all = 0.0;
        for (var i = 0; i < size; i++)
        {
            all += gram[(i * size) + i];
            for (var j = 0; j < i; j++)
            {
                gram[(j * size) + i] = gram[(i * size) + j];
            }
        }

        var (values, vectors) = SymmetricEigen.Of(gram, size);
        var kept = 0.0;
        for (var r = 0; r < multiplier; r++)
        {
            kept += Math.Max(0, values[r]);
            Write(vectors.AsSpan(r * size, size), Math.Pow(Math.Max(0, values[r]), 0.25), (channel * multiplier) + r);
        }

        return (all, kept);

        // σ = √value; a channel without weights gets zeros.
        void Write(ReadOnlySpan<double> vector, double root, int at)
        {
            for (var i = 0; i < size; i++)
            {
                depthwise[(at * size) + i] = (float)(vector[i] * root);
            }

            for (var o = 0; o < layer.Outputs && root > 0; o++)
            {
                var row = weight.AsSpan((o * step) + (channel * size), size);
                var sum = 0.0;
                for (var i = 0; i < size; i++)
                {
                    sum += row[i] * vector[i];
                }

                pointwise[(o * layer.Inputs * multiplier) + at] = (float)(sum / root);
            }
        }
    }
}
