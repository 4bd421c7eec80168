namespace Build.ML.Quantization.Folding;

/// <summary>Channels that must share one scale, such as those of query heads that read one value head: disjoint sets.</summary>
internal sealed class ChannelTies
{
    private readonly int[] _parent;

    /// <summary>No ties among <paramref name="count"/> channels.</summary>
    public ChannelTies(int count) => _parent = [.. Enumerable.Range(0, count)];

    private ChannelTies(int[] parent) => _parent = parent;

    /// <summary>Number of channels.</summary>
    public int Count => _parent.Length;

    /// <summary>Whether each channel may have a scale of its own.</summary>
    public bool IsFree => Enumerable.Range(0, Count).All(c => _parent[c] == c);

    /// <summary>The channel that stands for the set of <paramref name="channel"/>: its least.</summary>
    public int Of(int channel)
    {
        while (_parent[channel] != channel)
        {
            channel = _parent[channel];
        }

        return channel;
    }

    /// <summary>Ties two channels; equal ones are tied already.</summary>
    public void Join(int a, int b)
    {
        if (a == b)
        {
            return;
        }

        (a, b) = (Of(a), Of(b));
        _parent[Math.Max(a, b)] = Math.Min(a, b);
    }

    /// <summary>A copy, to go back to.</summary>
    public ChannelTies Copy() => new([.. _parent]);

    /// <summary>Gives every channel of a set the geometric mean of the set's scales.</summary>
    /// <param name="scales">One for each channel, above 0.</param>
    public void Unify(Span<float> scales)
    {
        var sums = new double[Count];
        var counts = new int[Count];
        for (var i = 0; i < Count; i++)
        {
            sums[Of(i)] += Math.Log(scales[i]);
            counts[Of(i)]++;
        }

        for (var i = 0; i < Count; i++)
        {
            scales[i] = counts[Of(i)] == 1 ? scales[i] : (float)Math.Exp(sums[Of(i)] / counts[Of(i)]);
        }
    }

    /// <summary>Gives every channel of a set the mean of the set's figures.</summary>
    public void Average(Span<float> figures)
    {
        var sums = new double[Count];
        var counts = new int[Count];
        for (var i = 0; i < Count; i++)
        {
            sums[Of(i)] += figures[i];
            counts[Of(i)]++;
        }

        for (var i = 0; i < Count; i++)
        {
            figures[i] = (float)(sums[Of(i)] / counts[Of(i)]);
        }
    }
}
