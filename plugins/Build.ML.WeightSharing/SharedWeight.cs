using Build.ML.Graph.Tensors;
using Build.ML.WeightSharing.Clustering;

namespace Build.ML.WeightSharing;

/// <summary>Makes the codebook of a tensor or channel.</summary>
/// <param name="weights">Its weights.</param>
/// <param name="summary">Of them.</param>
/// <param name="count">Most values it may have, beside a zero of its own.</param>
/// <param name="hasZero">Whether zeros take no part.</param>
/// <param name="row">Index of the channel.</param>
/// <param name="threads">Cores to use.</param>
internal delegate Codebook CodebookRule(ReadOnlySpan<float> weights, NumberSummary summary, int count, bool hasZero, int row, int threads);

/// <summary>A weight as codebooks and indices. Indices are computed from the weight whenever they are asked for, so that none but those being written are held.</summary>
internal sealed class SharedWeight
{
    private readonly Tensor _tensor;
    private readonly Codebook[] _codebooks;
    private readonly int _channels;
    private readonly int _inner;

    private SharedWeight(Tensor tensor, int channels, int inner, Codebook[] codebooks, bool hasZero, double signalToNoise)
    {
        (_tensor, _channels, _inner, _codebooks, HasZero, SignalToNoise) = (tensor, channels, inner, codebooks, hasZero, signalToNoise);
        Entries = codebooks.Max(c => c.Values.Length);
        Bits = Math.Max(1, int.Log2(Entries - 1) + 1);
        Values = new float[codebooks.Length * Entries];
        for (var row = 0; row < codebooks.Length; row++)
        {
            var values = codebooks[row].Values;
            values.CopyTo(Values.AsSpan(row * Entries));
            Values.AsSpan(row * Entries + values.Length, Entries - values.Length).Fill(values[^1]);
        }
    }

    /// <summary>Codebooks: 1, or the number of channels.</summary>
    public int Rows => _codebooks.Length;

    /// <summary>Values in each.</summary>
    public int Entries { get; }

    /// <summary>Bits that an index needs.</summary>
    public int Bits { get; }

    /// <summary>Whether the first value of each codebook is a zero that stays one.</summary>
    public bool HasZero { get; }

    /// <summary>Σw²/Σ(w − value)² in decibels; infinite where nothing was lost.</summary>
    public double SignalToNoise { get; }

    /// <summary>The codebooks, [rows, entries].</summary>
    public float[] Values { get; }

    /// <summary>Number of weights.</summary>
    public int Count => checked((int)_tensor.Count);

    /// <summary>Finds the codebooks of a weight.</summary>
    /// <param name="tensor">Float.</param>
    /// <param name="channelAxis">Axis that has a codebook for each position, or −1 for one of all.</param>
    /// <param name="bits">Bits of an index, 1 to 8.</param>
    /// <param name="keepZeros">Whether zeros, if there are any, have a value of their own.</param>
    /// <param name="rule">Makes a codebook.</param>
    /// <param name="threads">Cores to use.</param>
    /// <returns>Null where a weight is not finite.</returns>
    public static SharedWeight? Of(Tensor tensor, int channelAxis, int bits, bool keepZeros, CodebookRule rule, int threads)
    {
        var (channels, inner) = (1, checked((int)tensor.Count));
        if (channelAxis >= 0)
        {
            (channels, inner) = ((int)tensor.Sizes[channelAxis], 1);
            for (var i = channelAxis + 1; i < tensor.Rank; i++)
            {
                inner *= (int)tensor.Sizes[i];
            }
        }

        using var view = tensor.Read<float>();
        var all = NumberSummary.Of(view.Span, threads);
        if (!all.IsFinite)
        {
            return null;
        }

        var hasZero = keepZeros && all.Zeros > 0;
        var count = (1 << bits) - (hasZero ? 1 : 0);
        var codebooks = new Codebook[channels];
        if (channels == 1)
        {
            codebooks[0] = rule(view.Span, all, count, hasZero, 0, threads);
        }
        else
        {
            var row = new float[view.Span.Length / channels];
            for (var c = 0; c < channels; c++)
            {
                CopyRow(view.Span, c, channels, inner, row);
                codebooks[c] = rule(row, NumberSummary.Of(row, threads), count, hasZero, c, threads);
            }
        }

        return new(tensor, channels, inner, codebooks, hasZero, Ratio(view.Span, channels, inner, codebooks, threads));
    }

    /// <summary>The indices, one a byte: in the weight's order, or channel after channel.</summary>
    public byte[] Indices()
    {
        var indices = new byte[Count];
        using var view = _tensor.Read<float>();
        if (Rows == 1)
        {
            Chunks.ForEach(view.Span, Environment.ProcessorCount, (chunk, part) =>
            {
                for (var i = 0; i < part.Length; i++)
                {
                    indices[chunk * Chunks.Size + i] = _codebooks[0].IndexOf(part[i]);
                }
            });
            return indices;
        }

        var row = new float[Count / _channels];
        for (var c = 0; c < _channels; c++)
        {
            CopyRow(view.Span, c, _channels, _inner, row);
            for (var i = 0; i < row.Length; i++)
            {
                indices[c * row.Length + i] = _codebooks[c].IndexOf(row[i]);
            }
        }

        return indices;
    }

    private static void CopyRow(ReadOnlySpan<float> weights, int channel, int channels, int inner, Span<float> row)
    {
        for (int from = channel * inner, to = 0; to < row.Length; from += channels * inner, to += inner)
        {
            weights.Slice(from, inner).CopyTo(row[to..]);
        }
    }

    private static double Ratio(ReadOnlySpan<float> weights, int channels, int inner, Codebook[] codebooks, int threads)
    {
        var parts = new (double Signal, double Noise)[Chunks.Count(weights.Length)];
        Chunks.ForEach(weights, threads, (chunk, part) =>
        {
            var (signal, noise) = (0d, 0d);
            for (var i = 0; i < part.Length; i++)
            {
                var codebook = codebooks[(int)((chunk * (long)Chunks.Size + i) / inner % channels)];
                double error = part[i] - codebook.Values[codebook.IndexOf(part[i])];
                signal += (double)part[i] * part[i];
                noise += error * error;
            }

            parts[chunk] = (signal, noise);
        });
        return 10 * Math.Log10(parts.Sum(p => p.Signal) / parts.Sum(p => p.Noise));
    }
}
