using Build.ML.Calibration.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>The same rank for all layers.</summary>
/// <param name="rank">The rank.</param>
internal sealed class FixedRank(int rank) : RankRule
{
    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum) => IfGained(layer, rank);
}
