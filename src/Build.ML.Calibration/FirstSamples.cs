using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;

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

    /// <summary>A step's context in which every data set has its first samples only; their number enters the data's fingerprint.</summary>
    /// <param name="context">The step's.</param>
    /// <param name="limit">How many at most; 0 takes all.</param>
    public static StepContext In(StepContext context, int limit)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context with
        {
            Data = reference => new FirstSamples(context.Data(reference), limit),
            DataFingerprint = reference => context.DataFingerprint(reference) is { } hash ? string.Create(CultureInfo.InvariantCulture, $"{hash}, first {limit}") : null,
        };
    }
}
