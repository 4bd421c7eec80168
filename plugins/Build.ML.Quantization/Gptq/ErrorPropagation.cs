using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Quantization.Gptq;

/// <summary>
/// Moves a layer's weight, before it is rounded, towards the one that gives the exact model's outputs from the quantized model's inputs: W* = W + α·W·D·(Ĥ + λI)⁻¹ with D = 2/n·Σ (x − x̂)·x̂ᵀ
/// and Ĥ = 2/n·Σ x̂·x̂ᵀ (Arai and Ichikawa 2025, "Quantization Error Propagation", arXiv 2504.09629, proposition 1). With α = 1 and λ = 0 it is the least-squares solution; less guards against what
/// few calibration data pretend.
/// </summary>
internal sealed class ErrorPropagation : IDisposable
{
    private const int Band = 256;

    // D·(Ĥ + λI)⁻¹ of each group of a convolution's channels, or of the layer.
    private readonly FloatMatrix[] _moves;
    private readonly double _strength;

    private ErrorPropagation(FloatMatrix[] moves, double strength) => (_moves, _strength) = (moves, strength);

    /// <summary>Prepares the correction of a group of layers, or null where their inputs are exact.</summary>
    /// <param name="hessians">Ĥ; not changed.</param>
    /// <param name="factors">Of the same, for the dampening that they needed.</param>
    /// <param name="strength">α, 0 to 1.</param>
    /// <param name="context">Cores, cancellation.</param>
    public static ErrorPropagation? Of(LayerHessians hessians, IReadOnlyList<HessianFactor> factors, double strength, StepContext context)
    {
        if (hessians.TakeDrifts() is not { } moves)
        {
            return null;
        }

        for (var i = 0; i < moves.Length; i++)
        {
            using var dampened = Dampened(hessians.Matrices[i], factors[i].Dampening);
            if (Cholesky.Factor(dampened.View, context.Threads, context.Cancellation) >= 0)
            {
                throw new ArithmeticException("A Hessian that was factored in one order of columns cannot be in another.");
            }

            CholeskySolution.SolveRows(dampened.View, moves[i].View, context.Threads, context.Cancellation);
        }

        return new(moves, strength);
    }

    /// <summary>Bytes that a correction takes beside Hessian and drift: a factor, and the weight.</summary>
    public static long BytesFor(long rows, long columns) => (columns * columns + rows * columns) * sizeof(float);

    /// <summary>The layer with W* in it, in memory.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public unsafe WeightLayer Correct(WeightLayer layer, int threads)
    {
        var columns = layer.Columns;
        var corrected = GC.AllocateUninitializedArray<float>(layer.Rows * columns);
        layer.Read(0, layer.Rows, corrected);
        using var band = new FloatMatrix(Band, columns);
        var rows = layer.Rows / _moves.Length;
        fixed (float* start = corrected)
        {
            for (var group = 0; group < _moves.Length; group++)
            {
                for (var first = group * rows; first < (group + 1) * rows; first += Band)
                {
                    var count = Math.Min(Band, (group + 1) * rows - first);
                    for (var row = 0; row < count; row++)
                    {
                        corrected.AsSpan((first + row) * columns, columns).CopyTo(band.Row(row));
                    }

                    MatrixProduct.Add(
                        new MatrixView(start + (nint)first * columns, count, columns, columns, 1),
                        band.View.Block(0, 0, count, columns),
                        _moves[group].View,
                        (float)_strength,
                        threads: threads);
                }
            }
        }

        return layer.With(corrected);
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_moves, m => m.Dispose());

    private static FloatMatrix Dampened(FloatMatrix hessian, double dampening)
    {
        var size = hessian.Rows;
        var result = new FloatMatrix(size, size);
        double sum = 0;
        nint alive = 0;
        for (nint i = 0; i < size; i++)
        {
            hessian.Row(i).CopyTo(result.Row(i));
            sum += hessian[i, i];
            alive += hessian[i, i] == 0 ? 0 : 1;
        }

        var mean = alive == 0 ? 1 : sum / alive;
        for (nint i = 0; i < size; i++)
        {
            result[i, i] = (float)((hessian[i, i] == 0 ? mean : hessian[i, i]) + dampening * mean);
        }

        return result;
    }
}
