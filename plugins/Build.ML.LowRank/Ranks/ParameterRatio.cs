using Build.ML.Calibration.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>The same share of its parameters for each layer: r = ratio·m·n/(m + n).</summary>
/// <param name="ratio">Share of the parameters kept.</param>
/// <param name="multiple">Ranks are rounded down to a multiple of it.</param>
internal sealed class ParameterRatio(double ratio, int multiple) : RankRule
{
    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum) =>
        IfGained(layer, (int)(ratio * layer.Rows * layer.Columns / (layer.Rows + layer.Columns)) / multiple * multiple);
}
