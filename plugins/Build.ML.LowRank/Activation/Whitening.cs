using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.LowRank.Activation;

/// <summary>
/// The factor of a layer's inputs' second moments, H = 2/n·Σ x·xᵀ = UᵀU: what an error E of the weight does to the outputs is ‖E·Uᵀ‖, so that among matrices W·Uᵀ the nearest of a rank is
/// the one that changes outputs least (SVD-LLM, Wang et al. 2024, arXiv 2403.07378, §3.1: truncation-aware whitening). Dispose it.
/// </summary>
internal sealed class Whitening : IDisposable
{
    // Beyond this, the inputs are taken for independent of each other: plain decomposition.
    private const double MostDampening = 100;

    private readonly FloatMatrix _factor;

    private Whitening(FloatMatrix factor, double dampening) => (_factor, Dampening) = (factor, dampening);

    /// <summary>What was added to the diagonal, over its mean.</summary>
    public double Dampening { get; }

    /// <summary>Factors H, in place.</summary>
    /// <param name="moments">H, both triangles; becomes the factor, is disposed with this.</param>
    /// <param name="dampening">Added to the diagonal, over its mean; raised tenfold, from 1e-6 on, where H is not positive definite in float32.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between panels.</param>
    public static Whitening Of(FloatMatrix moments, double dampening, int threads, CancellationToken cancellation)
    {
        var size = (int)moments.Rows;
        var diagonal = new float[size];
        var mean = 0d;
        for (var i = 0; i < size; i++)
        {
            diagonal[i] = moments[i, i];
            mean += diagonal[i] / size;
        }

        if (!double.IsFinite(mean))
        {
            throw new DiagnosticException("BML5423", "The squares of a layer's inputs exceed float32. Exclude the layer, or scale the model's inputs as it was trained.");
        }

        for (var added = dampening; ; added = Math.Max(added * 10, 1e-6))
        {
            for (var i = 0; i < size; i++)
            {
                for (var j = i + 1; j < size; j++)
                {
                    moments[i, j] = moments[j, i]; // what a failed attempt overwrote
                }

                moments[i, i] = mean > 0 ? (float)(diagonal[i] + added * mean) : 1;
            }

            if (Cholesky.Factor(moments.View, threads, cancellation) < 0)
            {
                for (var i = 1; i < size; i++)
                {
                    moments.Row(i)[..i].Clear();
                }

                return new(moments, added);
            }

            if (added > MostDampening)
            {
                throw new InvalidOperationException("A matrix with a dominant diagonal has no Cholesky factor.");
            }
        }
    }

    /// <summary>W·Uᵀ, which the caller disposes.</summary>
    /// <param name="weight">W [outputs, inputs].</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public FloatMatrix Whiten(FloatMatrix weight, int threads)
    {
        var product = new FloatMatrix(weight.Rows, weight.Columns);
        MatrixProduct.Add(product.View, weight.View, _factor.View.Transposed, threads: threads);
        return product;
    }

    /// <summary>
    /// W + W·D·H⁻¹: the weight whose outputs on inputs x̂ that compressed layers give are nearest to those of W on x (Arai and Ichikawa 2025, arXiv 2504.09629), with the drift
    /// D = 2/n·Σ (x − x̂)·x̂ᵀ. The caller disposes it.
    /// </summary>
    /// <param name="weight">W [outputs, inputs].</param>
    /// <param name="drift">D [inputs, inputs].</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public FloatMatrix Adapt(FloatMatrix weight, FloatMatrix drift, int threads)
    {
        var adapted = new FloatMatrix(weight.Rows, weight.Columns);
        MatrixProduct.Add(adapted.View, weight.View, drift.View, threads: threads);
        CholeskySolution.SolveRows(_factor.View, adapted.View, threads);
        for (var row = 0; row < weight.Rows; row++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(adapted.Row(row), weight.Row(row), adapted.Row(row));
        }

        return adapted;
    }

    /// <inheritdoc/>
    public void Dispose() => _factor.Dispose();
}
