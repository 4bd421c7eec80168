using Build.ML.Calibration.Layers;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>The lowest rank that keeps a share of the squared singular values.</summary>
/// <param name="energy">The share.</param>
/// <param name="multiple">Ranks are rounded up to a multiple of it.</param>
internal sealed class EnergyShare(double energy, int multiple) : RankRule
{
    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum)
    {
        var limit = LayerFactors.Limit(layer);
        if (limit < 1)
        {
            return IfGained(layer, 1);
        }

        var values = spectrum();
        var (rank, left) = (0, (1 - energy) * values.SquaredNorm);
        var rest = values.SquaredNorm;
        while (rank < limit && rest > left)
        {
            rest -= (double)values.Values[rank] * values.Values[rank];
            rank++;
        }

        return rest > left
            ? RankChoice.Left($"nothing is gained: rank {limit}, the largest with fewer numbers than the layer, keeps {values.Kept(limit):0.0000} of the squared singular values")
            : IfGained(layer, (Math.Max(rank, 1) + multiple - 1) / multiple * multiple);
    }
}
