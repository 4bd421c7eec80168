using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.LowRank.Ranks;

/// <summary>What each rank of a layer would keep: singular values of its weight, or of its outputs on data.</summary>
/// <param name="Values">The greatest ones, in descending order; as many as the layer may have as rank.</param>
/// <param name="SquaredNorm">Sum of the squares of all.</param>
internal sealed record Spectrum(float[] Values, double SquaredNorm)
{
    /// <summary>The spectrum of a matrix.</summary>
    /// <param name="matrix">A layer's weight, whitened or not.</param>
    /// <param name="limit">The greatest rank that the layer may have; below 1 nothing is computed.</param>
    /// <param name="context">The step's seed, threads and cancellation.</param>
    public static Spectrum Of(FloatMatrix matrix, int limit, StepContext context)
    {
        if (limit < 1)
        {
            return new([], 0);
        }

        using var svd = TruncatedSvd.Of(matrix.View, limit, seed: context.Seed, threads: context.Threads, cancellation: context.Cancellation);
        return new(svd.Values, svd.SquaredNorm);
    }

    /// <summary>Share of the squared singular values that the first <paramref name="rank"/> hold.</summary>
    public double Kept(int rank)
    {
        var sum = 0d;
        for (var i = 0; i < rank; i++)
        {
            sum += (double)Values[i] * Values[i];
        }

        return SquaredNorm > 0 ? Math.Min(sum / SquaredNorm, 1) : 1;
    }
}
