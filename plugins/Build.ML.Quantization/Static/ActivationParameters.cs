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
    private readonly Dictionary<string, QuantizationParameters> _chosen = [];

    /// <summary>What activations are stored as.</summary>
    public CalibrationTarget Target => target;

    /// <summary>The parameters of a value that calibration observed; chosen once.</summary>
    public QuantizationParameters Of(string value)
    {
        if (!_chosen.TryGetValue(value, out var parameters))
        {
            var range = calibrator.Choose(histograms[value], target);
            var (minimum, maximum) = telling.GetValueOrDefault(value, (float.NegativeInfinity, float.PositiveInfinity));
            parameters = QuantizationParameters.Of(
                Math.Max(range.Minimum, minimum), Math.Min(range.Maximum, maximum), target.Type, target.Symmetric, target.ReduceRange);
            _chosen.Add(value, parameters);
        }

        return parameters;
    }
}
