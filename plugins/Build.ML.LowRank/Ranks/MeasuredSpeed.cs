using Build.ML.Calibration.Layers;
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

        // Time grows with rank: bisection over multiples.
        var (low, high, speedup, tried) = (0, LayerFactors.Limit(layer) / multiple, 0d, 0d);
        if (high == 0)
        {
            return IfGained(layer, Math.Max(multiple, LayerFactors.Limit(layer) + 1));
        }

        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            tried = timing.Speedup(layer, middle * multiple);
            if (tried >= factor)
            {
                (low, speedup) = (middle, tried);
            }
            else
            {
                high = middle - 1;
            }
        }

        return low > 0 ? RankChoice.Of(low * multiple, [new("speedup", speedup)])
            : RankChoice.Left($"no gain was measured: rank {multiple} is {tried:0.00} times as fast as the layer, {factor} was asked for");
    }
}
