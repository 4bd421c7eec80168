using System.Collections.Immutable;
using Build.ML.Graph.Tensors;

namespace Build.ML.Abstractions.Data;

/// <summary>Samples in a fixed order, read when asked for.</summary>
public abstract class DataSet
{
    /// <summary>Number of samples.</summary>
    public abstract int Count { get; }

    /// <summary>Reads one sample; safe to call from several threads.</summary>
    /// <param name="index">0 to <see cref="Count"/> − 1.</param>
    public abstract Sample this[int index] { get; }

    /// <summary>
    /// The samples in order as batches of at most <paramref name="size"/>; a batch ends early where the next sample has other shapes or whole inputs, so nothing is padded
    /// or reordered.
    /// </summary>
    /// <param name="size">1 or more.</param>
    public IEnumerable<Batch> Batches(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var pending = new List<Sample>();
        for (var i = 0; i < Count; i++)
        {
            var sample = this[i];
            if (pending.Count == size || (pending.Count > 0 && (!sample.Whole.IsEmpty || !pending[0].Whole.IsEmpty || !SameShapes(pending[0], sample))))
            {
                yield return Stack(pending);
                pending.Clear();
            }

            pending.Add(sample);
        }

        if (pending.Count > 0)
        {
            yield return Stack(pending);
        }
    }

    private static bool SameShapes(Sample a, Sample b) =>
        a.Inputs.Length == b.Inputs.Length
        && a.Inputs.Zip(b.Inputs).All(p => p.First.Key == p.Second.Key && p.First.Value.Type == p.Second.Value.Type
            && p.First.Value.Sizes.AsSpan().SequenceEqual(p.Second.Value.Sizes.AsSpan()));

    private static Batch Stack(List<Sample> samples)
    {
        if (samples.Count == 1)
        {
            return samples[0].AsBatch();
        }

        var inputs = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>(samples[0].Inputs.Length);
        for (var i = 0; i < samples[0].Inputs.Length; i++)
        {
            var (name, first) = samples[0].Inputs[i];
            inputs.Add(new(name, StackTensors(first, samples, i)));
        }

        return new Batch(inputs.MoveToImmutable(), [.. samples.Select(s => s.Label)]);
    }

    private static Tensor StackTensors(Tensor first, List<Sample> samples, int input)
    {
        long[] sizes = [samples.Count, .. first.Sizes];
        var bytes = new byte[first.ByteLength * samples.Count];
        for (var i = 0; i < samples.Count; i++)
        {
            using var view = samples[i].Inputs[input].Value.Read<byte>();
            view.Span.CopyTo(bytes.AsSpan(i * (int)first.ByteLength));
        }

        return Tensor.OfBytes(first.Type, bytes, sizes);
    }
}
