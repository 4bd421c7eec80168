using Build.ML.Calibration.Statistics;

namespace Build.ML.Quantization.Calibration;

/// <summary>
/// Leaves out the outermost values: on either side of 0, at most 100 − percentile per cent of all values lie outside the range (rounded to a whole bin).
/// </summary>
[Calibrator("percentile")]
internal sealed class PercentileCalibrator : Calibrator
{
    /// <inheritdoc/>
    public override ActivationRange Choose(ActivationHistogram seen, CalibrationTarget target)
    {
        var outside = (long)Math.Floor(seen.Count * (1 - target.Percentile / 100));
        var bins = seen.Bins;
        var low = 0;
        for (long below = 0; low < bins.Length - 1 && seen.First + low < 0; low++)
        {
            below += bins[low];
            if (below > outside)
            {
                break;
            }
        }

        var high = bins.Length - 1;
        for (long above = 0; high > 0 && seen.First + high > 0; high--)
        {
            above += bins[high];
            if (above > outside)
            {
                break;
            }
        }

        return new(
            (float)Math.Max(seen.Minimum, (seen.First + low) * seen.Width),
            (float)Math.Min(seen.Maximum, (seen.First + high + 1) * seen.Width));
    }
}
