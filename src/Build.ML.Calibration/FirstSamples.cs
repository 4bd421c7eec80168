using Build.ML.Abstractions.Data;

namespace Build.ML.Calibration;

/// <summary>The first samples of a data set.</summary>
/// <param name="data">All samples.</param>
/// <param name="limit">How many at most; 0 takes all.</param>
public sealed class FirstSamples(DataSet data, int limit) : DataSet
{
    /// <inheritdoc/>
    public override int Count => limit == 0 ? data.Count : Math.Min(limit, data.Count);

    /// <inheritdoc/>
    public override Sample this[int index] => data[index];
}
