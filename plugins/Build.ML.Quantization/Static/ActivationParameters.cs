using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
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
    private readonly Dictionary<string, float> _learnt = [];

    /// <summary>Runs the model over calibration data and sees what ranges there are.</summary>
    /// <param name="model">As planned, nothing written yet.</param>
    /// <param name="plan">Which activations are rounded.</param>
    /// <param name="calibrator">Chooses ranges.</param>
    /// <param name="target">Integer type and so on.</param>
    /// <param name="data">Calibration data.</param>
    /// <param name="context">Of the step.</param>
    public static ActivationParameters Calibrate(
        Model model, QdqPlan plan, Calibrator calibrator, CalibrationTarget target, DataReference data, StepContext context)
    {
        var rounded = plan.Activations().ToArray();
        var histograms = rounded.Length == 0 ? new Dictionary<string, ActivationHistogram>()
            : new CalibrationStage(context).Observe(model, [.. rounded.Select(v => v.Name)], data, new HistogramStatistic());
        return new(histograms, calibrator, rounded.ToDictionary(v => v.Name, TellingRange.Of), target);
    }

    /// <summary>The calibrator with a name.</summary>
    /// <param name="name">As recipes give it.</param>
    /// <exception cref="DiagnosticException">BML5409: there is none.</exception>
    public static Calibrator FindCalibrator(string name)
    {
        var calibrators = Catalog<Calibrator>.Scan(typeof(Calibrator).Assembly);
        return calibrators.Find(name)?.Create() ?? throw new DiagnosticException(
            "BML5409", $"There is no calibrator '{name}'; expected one of {string.Join(", ", calibrators.Names)}.");
    }

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

        var parameters = QuantizationParameters.Of(all.Minimum, all.Maximum, target.Type, target.Symmetric, target.Bits);
        return _learnt.TryGetValue(values[0], out var scale) ? parameters with { Scale = scale } : parameters;
    }

    /// <summary>Sets a scale learnt for values that share it; their zero point stays.</summary>
    /// <param name="first">Name of the first of them.</param>
    /// <param name="scale">Above 0.</param>
    public void Learn(string first, float scale) => _learnt[first] = scale;

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
