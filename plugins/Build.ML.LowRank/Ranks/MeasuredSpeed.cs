using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>The largest rank at which the pair was measured to be faster than the layer by a factor; the layer stays where there is none.</summary>
/// <param name="factor">Time of the layer over that of the pair.</param>
/// <param name="multiple">Ranks are multiples of it.</param>
/// <param name="timing">Measures.</param>
internal sealed class MeasuredSpeed(double factor, int multiple, LayerTiming timing) : RankRule
{
    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum)
    {
        if (timing.Obstacle(layer) is { } obstacle)
        {
            return RankChoice.Left($"it cannot be timed: {obstacle}");
        }

        var most = LayerFactors.Limit(layer) / multiple;
        if (most == 0)
        {
            return IfGained(layer, Math.Max(multiple, LayerFactors.Limit(layer) + 1));
        }

        var (size, speedup) = timing.Greatest(layer, factor, most, (like, size) =>
        {
            using var factors = new LayerFactors(new FloatMatrix(size * multiple, like.Rows), new FloatMatrix(size * multiple, like.Columns));
            FactorEdit.Apply(like, factors);
        });
        return size > 0 ? RankChoice.Of(size * multiple, [new("speedup", speedup)])
            : RankChoice.Left($"no gain was measured: rank {multiple} is {speedup:0.00} times as fast as the layer, {factor} was asked for");
    }
}
