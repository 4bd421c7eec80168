using System.Runtime.InteropServices;
using System.Text;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Statistics;

/// <summary>Some rows of an activation, drawn at random.</summary>
public sealed class RowSample
{
    internal RowSample(Random? random) => Random = random;

    /// <summary>Elements of a row: the activation's last axis; 0 before the first batch.</summary>
    public int Columns { get; internal set; }

    /// <summary>Number of rows drawn.</summary>
    public int Rows => Columns == 0 ? 0 : Values.Count / Columns;

    /// <summary>Number of rows they were drawn from.</summary>
    public long Seen { get; internal set; }

    /// <summary>One row.</summary>
    public ReadOnlySpan<float> Row(int index) => CollectionsMarshal.AsSpan(Values).Slice(index * Columns, Columns);

    /// <summary>All rows one after another, [<see cref="Rows"/>, <see cref="Columns"/>].</summary>
    public ReadOnlySpan<float> Elements => CollectionsMarshal.AsSpan(Values);

    internal Random? Random { get; }

    internal List<float> Values { get; } = [];
}

/// <summary>
/// Rows (along the last axis) of an activation, each row equally likely: reservoir sampling (Vitter 1985, "Random sampling with a reservoir", algorithm R). Activations with
/// the same number of rows give the same rows.
/// </summary>
/// <param name="rows">Rows to draw, at least 1; all where there are fewer.</param>
/// <param name="seed">Seed of the drawing.</param>
public sealed class RowSampleStatistic(int rows, long seed) : ActivationStatistic<RowSample>
{
    /// <inheritdoc/>
    public override string Name => $"{rows} rows drawn with seed {seed}";

    /// <inheritdoc/>
    public override RowSample Create() => new(new Random(seed.GetHashCode()));

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The activation is a scalar, or its rows have another length than before.</exception>
    public override bool Add(RowSample seen, Tensor activation)
    {
        var columns = activation.Rank == 0 ? 0 : (int)activation.Sizes[^1];
        if (columns == 0 || (seen.Columns > 0 && columns != seen.Columns))
        {
            throw new InvalidOperationException($"A {activation} has no rows{(seen.Columns > 0 ? $" of {seen.Columns} elements" : "")}.");
        }

        seen.Columns = columns;
        if (activation.Count == 0)
        {
            return true;
        }

        using var elements = FloatView.Of(activation);
        float low = 0, high = 0;
        if (!FiniteExtremes.Widen(elements.Span, ref low, ref high))
        {
            return false;
        }

        for (var start = 0; start < elements.Span.Length; start += columns)
        {
            var row = elements.Span.Slice(start, columns);
            if (seen.Seen < rows)
            {
                seen.Values.AddRange(row);
            }
            else if (seen.Random!.NextInt64(seen.Seen + 1) is var place && place < rows)
            {
                row.CopyTo(CollectionsMarshal.AsSpan(seen.Values).Slice((int)place * columns, columns));
            }

            seen.Seen++;
        }

        return true;
    }

    /// <inheritdoc/>
    public override void Write(RowSample seen, Stream to)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        writer.Write(seen.Columns);
        writer.Write(seen.Seen);
        writer.Write(seen.Values.Count);
        writer.Write(MemoryMarshal.AsBytes(seen.Elements));
    }

    /// <inheritdoc/>
    public override RowSample Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        var sample = new RowSample(null) { Columns = reader.ReadInt32(), Seen = reader.ReadInt64() };
        CollectionsMarshal.SetCount(sample.Values, reader.ReadInt32());
        from.ReadExactly(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(sample.Values)));
        return sample;
    }
}
