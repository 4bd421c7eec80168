namespace Build.ML.Metrics.Running;

/// <summary>Percentiles of a sample.</summary>
internal static class Percentile
{
    /// <summary>
    /// The value below which a fraction of the sample lies, interpolated linearly between the two nearest: at rank (n − 1)·fraction, counted from 0.
    /// </summary>
    /// <param name="values">At least one; reordered.</param>
    /// <param name="fraction">0 to 1.</param>
    public static double Of(List<double> values, double fraction)
    {
        values.Sort();
        var rank = (values.Count - 1) * fraction;
        var lower = (int)rank;
        return double.Lerp(values[lower], values[Math.Min(lower + 1, values.Count - 1)], rank - lower);
    }
}
