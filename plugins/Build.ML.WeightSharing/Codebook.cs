using Build.ML.WeightSharing.Clustering;

namespace Build.ML.WeightSharing;

/// <summary>The values that the weights of a tensor or channel may take, and which of them each takes.</summary>
internal sealed class Codebook
{
    private readonly Intervals _intervals;
    private readonly int _first;

    /// <summary>A codebook.</summary>
    /// <param name="bounds">Ascending: weights between two neighbours take the same value.</param>
    /// <param name="values">One more than bounds, or none where all weights are 0.</param>
    /// <param name="hasZero">Whether weights that are exactly 0 have a value of their own, the first.</param>
    public Codebook(float[] bounds, float[] values, bool hasZero)
    {
        _intervals = new Intervals(bounds);
        _first = hasZero ? 1 : 0;
        Values = hasZero ? [0, .. values] : values;
    }

    /// <summary>The values by index.</summary>
    public float[] Values { get; }

    /// <summary>A codebook of the values nearest to which weights are.</summary>
    public static Codebook OfNearest(float[] centroids, bool hasZero) => new(Intervals.Between(centroids), centroids, hasZero);

    /// <summary>Index of the value that a weight takes.</summary>
    public byte IndexOf(float weight) => (byte)(_first == 1 && weight == 0 ? 0 : _first + _intervals.Of(weight));
}
