using Build.ML.Abstractions.Data;

namespace Build.ML.TestSupport;

/// <summary>Samples made from a seed.</summary>
sealed class NormalData(int count, params long[] sizes) : DataSet
{
    public override int Count => count;

    public override Sample this[int index] => new([new("", Numbers.Tensor(1000 + index, 1, sizes))], Label.None);
}
