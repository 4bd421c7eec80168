using Build.ML.Calibration.Statistics;

namespace Build.ML.Quantization.Calibration;

/// <summary>All that was seen: nothing is clipped, one outlier coarsens all.</summary>
[Calibrator("min_max")]
internal sealed class MinMaxCalibrator : Calibrator
{
    /// <inheritdoc/>
    public override ActivationRange Choose(ActivationHistogram seen, CalibrationTarget target) => new(seen.Minimum, seen.Maximum);
}
