using Build.ML.Abstractions.Data;

namespace Build.ML.Data.Files;

/// <summary>Samples made one by one by a function of their index.</summary>
/// <param name="count">Number of samples.</param>
/// <param name="read">Reads one; called from any thread.</param>
internal sealed class IndexedDataSet(int count, Func<int, Sample> read) : DataSet
{
    /// <inheritdoc/>
    public override int Count => count;

    /// <inheritdoc/>
    public override Sample this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
            return read(index);
        }
    }
}
