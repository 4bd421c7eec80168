using Build.ML.Calibration.Statistics;
using Build.ML.Quantization.Calibration;

namespace Build.ML.Quantization.Static;

/// <summary>Scales and zero points of activations, from what calibration saw of them.</summary>
/// <param name="histograms">By name of the value.</param>
/// <param name="calibrator">Chooses ranges.</param>
/// <param name="telling">By name, what readers can tell apart; a value without an entry is told apart everywhere.</param>
/// <param name="target">Integer type and so on.</param>
internal sealed class ActivationParameters(
    IReadOnlyDictionary<string, ActivationHistogram> histograms,
    Calibrator calibrator,
    IReadOnlyDictionary<string, (float Minimum, float Maximum)> telling,
    CalibrationTarget target)
{
    private readonly Dictionary<string, ActivationRange> _chosen = [];

    /// <summary>What activations are stored as.</summary>
    public CalibrationTarget Target => target;

    /// <summary>The parameters of values that share a scale: those of the range that holds the ranges chosen for each.</summary>
    /// <param name="values">Names of values that calibration observed, at least one.</param>
    public QuantizationParameters Of(IReadOnlyList<string> values)
    {
        var all = RangeOf(values[0]);
        for (var i = 1; i < values.Count; i++)
        {
            var own = RangeOf(values[i]);
            all = new(Math.Min(all.Minimum, own.Minimum), Math.Max(all.Maximum, own.Maximum));
        }

        return QuantizationParameters.Of(all.Minimum, all.Maximum, target.Type, target.Symmetric, target.ReduceRange);
    }

    private ActivationRange RangeOf(string value)
    {
        if (!_chosen.TryGetValue(value, out var range))
        {
            range = calibrator.Choose(histograms[value], target);
            var (minimum, maximum) = telling.GetValueOrDefault(value, (float.NegativeInfinity, float.PositiveInfinity));
            range = new(Math.Max(range.Minimum, minimum), Math.Min(range.Maximum, maximum));
            _chosen.Add(value, range);
        }

        return range;
    }
}
