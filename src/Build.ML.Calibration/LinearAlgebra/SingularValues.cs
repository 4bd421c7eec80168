namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>The greatest singular values of a matrix A [M, N] and their vectors: A ≈ Leftᵀ·diag(Values)·Right, the nearest matrix of that rank (Eckart and Young 1936). Dispose it.</summary>
/// <param name="Values">Singular values, the greatest first.</param>
/// <param name="Left">Left singular vectors as orthonormal rows [rank, M].</param>
/// <param name="Right">Right singular vectors as orthonormal rows [rank, N].</param>
/// <param name="SquaredNorm">‖A‖², the sum of the squares of all singular values.</param>
public sealed record SingularValues(float[] Values, FloatMatrix Left, FloatMatrix Right, double SquaredNorm) : IDisposable
{
    /// <summary>The squared error of the best approximation of a lower rank, Σ of the squares of the singular values after the first <paramref name="rank"/>.</summary>
    public double SquaredError(int rank)
    {
        var kept = 0d;
        for (var i = 0; i < rank; i++)
        {
            kept += (double)Values[i] * Values[i];
        }

        return Math.Max(SquaredNorm - kept, 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
    }
}
