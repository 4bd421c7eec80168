using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.LowRank.Tucker;

/// <summary>
/// Tucker-2 of a kernel W [T, S, K] (outputs, inputs, positions): W ≈ Σ C[p, q, k]·Outputs[p, t]·Inputs[q, s] with orthonormal rows, the first guess by singular vectors of both unfoldings (HOSVD,
/// De Lathauwer, De Moor and Vandewalle 2000), bettered in turns (HOOI, the same authors' second article of that year). Dispose it.
/// </summary>
/// <param name="Outputs">[output rank, T].</param>
/// <param name="Inputs">[input rank, S].</param>
/// <param name="Core">[output rank, input rank·K].</param>
/// <param name="SquaredNorm">‖W‖².</param>
/// <param name="SquaredError">‖W − approximation‖².</param>
internal sealed record TuckerDecomposition(FloatMatrix Outputs, FloatMatrix Inputs, FloatMatrix Core, double SquaredNorm, double SquaredError) : IDisposable
{
    private const int MostRounds = 20;

    // Rounds end when the core's squared size grows by less than this part.
    private const double Tolerance = 1e-5;

    /// <summary>Decomposes a kernel.</summary>
    /// <param name="kernel">[T, S·K].</param>
    /// <param name="positions">K.</param>
    /// <param name="outputRank">At most T.</param>
    /// <param name="inputRank">At most S.</param>
    /// <param name="seed">Of sketches.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between steps.</param>
    public static TuckerDecomposition Of(
        FloatMatrix kernel, int positions, int outputRank, int inputRank, long seed = 0, int threads = 1, CancellationToken cancellation = default)
    {
        var channels = (int)kernel.Columns / positions;
        using var turned = Exchange(kernel, channels, positions); // [S, T·K]
        var norm = TruncatedSvd.SquaredNorm(kernel.View);

        // An output rank beyond what the inputs span, or the reverse, is filled up by the decompositions below with vectors of no weight.
        var inputs = Left(turned, inputRank, seed, threads, cancellation);
        FloatMatrix? outputs = null;
        FloatMatrix? core = null;
        var size = 0d;
        for (var round = 0; round < MostRounds; round++)
        {
            using (var reduced = Product(inputs, turned, threads)) // [R, T·K]
            using (var unfolded = Exchange(reduced, (int)kernel.Rows, positions)) // [T, R·K]
            {
                outputs?.Dispose();
                outputs = Left(unfolded, outputRank, seed, threads, cancellation);
                core?.Dispose();
                core = Product(outputs, unfolded, threads);
            }

            var now = TruncatedSvd.SquaredNorm(core.View);
            if (round > 0 && now - size <= Tolerance * norm || round == MostRounds - 1)
            {
                size = now;
                break;
            }

            size = now;
            using (var reduced = Product(outputs, kernel, threads)) // [R, S·K]
            using (var unfolded = Exchange(reduced, channels, positions)) // [S, R·K]
            {
                inputs.Dispose();
                inputs = Left(unfolded, inputRank, seed, threads, cancellation);
            }
        }

        return new(outputs!, inputs, core!, norm, Math.Max(norm - size, 0));
    }

    /// <summary>[A, B·K] as [B, A·K].</summary>
    /// <param name="matrix">[A, B·K].</param>
    /// <param name="size">B.</param>
    /// <param name="positions">K.</param>
    public static FloatMatrix Exchange(FloatMatrix matrix, int size, int positions)
    {
        var exchanged = new FloatMatrix(size, matrix.Rows * positions);
        for (var a = 0; a < matrix.Rows; a++)
        {
            var row = matrix.Row(a);
            for (var b = 0; b < size; b++)
            {
                row.Slice(b * positions, positions).CopyTo(exchanged.Row(b)[(a * positions)..]);
            }
        }

        return exchanged;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Outputs.Dispose();
        Inputs.Dispose();
        Core.Dispose();
    }

    // Left singular vectors as rows; [A, B] with a rank beyond B is completed by unit vectors made orthogonal.
    private static FloatMatrix Left(FloatMatrix matrix, int rank, long seed, int threads, CancellationToken cancellation)
    {
        var known = Math.Min(rank, (int)Math.Min(matrix.Rows, matrix.Columns));
        using var svd = TruncatedSvd.Of(matrix.View, known, seed: seed, threads: threads, cancellation: cancellation);
        var left = new FloatMatrix(rank, matrix.Rows);
        for (var row = 0; row < known; row++)
        {
            svd.Left.Row(row).CopyTo(left.Row(row));
        }

        if (known < rank)
        {
            OrthonormalRows.Of(left, threads, cancellation);
        }

        return left;
    }

    private static FloatMatrix Product(FloatMatrix a, FloatMatrix b, int threads)
    {
        var product = new FloatMatrix(a.Rows, b.Columns);
        MatrixProduct.Add(product.View, a.View, b.View, threads: threads);
        return product;
    }
}
