using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

/// <summary>Random shapes and contents, repeatable by seed.</summary>
public sealed class CaseRandom(int seed)
{
    readonly Random random = new(seed);

    /// <summary>A whole number from <paramref name="low"/> to <paramref name="high"/>, both included.</summary>
    public int Next(int low, int high) => random.Next(low, high + 1);

    /// <summary>Random sizes of 1 to 4.</summary>
    public long[] Sizes(int rank)
    {
        var sizes = new long[rank];
        for (var i = 0; i < rank; i++)
            sizes[i] = Next(1, 4);
        return sizes;
    }

    /// <summary>Normal numbers.</summary>
    public Tensor Normal(params long[] sizes) => Of(() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()), sizes);

    /// <summary>Uniform numbers.</summary>
    public Tensor Uniform(double low, double high, params long[] sizes) => Of(() => low + (high - low) * random.NextDouble(), sizes);

    /// <summary>Numbers all at least <paramref name="gap"/> apart from each other and from 0, in random order: no step changes which is the largest or the sign of one.</summary>
    public Tensor Apart(double gap, params long[] sizes)
    {
        var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
        var values = Enumerable.Range(0, count).Select(i => (float)((i - count / 2 + 0.5) * gap)).ToArray();
        random.Shuffle(values);
        return Tensor.Of(values, sizes);
    }

    /// <summary>Whole numbers below <paramref name="limit"/>.</summary>
    public Tensor Indices(int limit, params long[] sizes) =>
        Tensor.Of(Enumerable.Range(0, (int)sizes.Aggregate(1L, (a, b) => a * b)).Select(_ => (long)random.Next(limit)).ToArray(), sizes);

    Tensor Of(Func<double> next, long[] sizes)
    {
        var values = new float[sizes.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)next();
        return Tensor.Of(values, sizes);
    }
}
