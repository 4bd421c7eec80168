using System.Collections.Immutable;
using Build.ML.Abstractions.Data;

namespace Build.ML.Training.Feed;

/// <summary>Samples of one padded shape.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Samples">Their indices, ascending.</param>
internal sealed record SampleGroup(FeedShape Shape, int[] Samples);

/// <summary>
/// Which samples may share a batch: the groups in an order in which a later one never fits into an earlier one; every shape fits into the
/// last.
/// </summary>
internal static class SampleGroups
{
    /// <summary>All samples in one group with the shape of the first, which alone is read.</summary>
    public static ImmutableArray<SampleGroup> OfOneShape(DataSet data)
    {
        var samples = new int[data.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            samples[i] = i;
        }

        return [new(FeedShape.Of(data[0]), samples)];
    }

    /// <summary>Groups by padded sizes; reads every sample once.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6081: samples differ by more than sizes.</exception>
    public static ImmutableArray<SampleGroup> ByPaddedShape(DataSet data, FeedOptions options, CancellationToken cancellation)
    {
        var first = FeedShape.Of(data[0]);
        var rank = 0;
        foreach (var input in first.Inputs)
        {
            rank += input.Sizes.Length;
        }

        var sizes = new long[data.Count][];
        var varies = new bool[rank];
        for (var i = 0; i < sizes.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var sample = data[i];
            sizes[i] = Sizes(sample, rank, first, i, options);
            for (var d = 0; d < rank; d++)
            {
                varies[d] |= sizes[i][d] != sizes[0][d];
            }
        }

        var groups = new SortedDictionary<long[], List<int>>(Comparer<long[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        var largest = new long[rank];
        for (var i = 0; i < sizes.Length; i++)
        {
            for (var d = 0; d < rank; d++)
            {
                sizes[i][d] = varies[d] ? (sizes[i][d] + options.Buckets!.Multiple - 1) / options.Buckets.Multiple * options.Buckets.Multiple : sizes[i][d];
                largest[d] = Math.Max(largest[d], sizes[i][d]);
            }

            if (!groups.TryGetValue(sizes[i], out var members))
            {
                groups.Add(sizes[i], members = []);
            }

            members.Add(i);
        }

        groups.TryAdd(largest, []);
        var result = ImmutableArray.CreateBuilder<SampleGroup>(groups.Count);
        foreach (var (padded, members) in groups)
        {
            result.Add(new(WithSizes(first, padded), [.. members]));
        }

        return result.MoveToImmutable();
    }

    private static long[] Sizes(Sample sample, int rank, FeedShape first, int index, FeedOptions options)
    {
        var sizes = new long[rank];
        var d = 0;
        var fits = sample.Inputs.Length == first.Inputs.Length;
        for (var i = 0; fits && i < first.Inputs.Length; i++)
        {
            var (name, tensor) = sample.Inputs[i];
            fits = name == first.Inputs[i].Name && tensor.Type == first.Inputs[i].Type && tensor.Rank == first.Inputs[i].Sizes.Length;
            if (fits)
            {
                tensor.Sizes.CopyTo(sizes, d);
                d += tensor.Rank;
            }
        }

        return fits ? sizes : throw FeedErrors.Differs(options.Name, index, FeedShape.Of(sample), first, buckets: true);
    }

    private static FeedShape WithSizes(FeedShape shape, long[] sizes)
    {
        var inputs = shape.Inputs.ToBuilder();
        for (int i = 0, d = 0; i < inputs.Count; d += inputs[i].Sizes.Length, i++)
        {
            inputs[i] = inputs[i] with { Sizes = [.. sizes.AsSpan(d, inputs[i].Sizes.Length)] };
        }

        return new(inputs.MoveToImmutable());
    }
}
