using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Coupling;

/// <summary>A tensor of which some positions are kept, made each time it is read; a slice of a slice reads the first tensor.</summary>
sealed class SlicedContent : TensorContent
{
    private readonly Tensor _source;
    private readonly int[]?[] _kept;

    private SlicedContent(Tensor source, int[]?[] kept)
    {
        _source = source;
        _kept = kept;
        Length = source.Type.ByteLength(Sizes(source, kept).Aggregate(1L, (a, b) => a * b));
    }

    /// <inheritdoc/>
    public override long Length { get; }

    /// <summary>Keeps positions of a tensor's dimensions.</summary>
    /// <param name="tensor">Elements of a byte or more, or strings.</param>
    /// <param name="kept">Ascending positions per dimension; null keeps all.</param>
    public static Tensor Slice(Tensor tensor, int[]?[] kept)
    {
        var (source, positions) = (tensor, kept);
        if (tensor.Content is SlicedContent sliced && sliced._kept.Length == kept.Length)
        {
            source = sliced._source;
            positions = new int[]?[kept.Length];
            for (var i = 0; i < kept.Length; i++)
            {
                positions[i] = sliced._kept[i] is { } first ? kept[i] is { } then ? [.. then.Select(p => first[p])] : first : kept[i];
            }
        }

        var sizes = Sizes(source, positions);
        if (tensor.Type == DataType.String)
        {
            var strings = ImmutableArray.CreateBuilder<string>();
            Visit(tensor, kept, (at, count) => strings.AddRange(tensor.Strings.AsSpan((int)at, (int)count)));
            return new Tensor(sizes, strings.ToImmutable());
        }

        return new Tensor(tensor.Type, sizes, new SlicedContent(source, positions)) { DocString = tensor.DocString, Name = tensor.Name };
    }

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)Length));
        var width = _source.Type.BitWidth() / 8;
        using var source = _source.Content.Open();
        var to = 0;
        Visit(_source, _kept, (at, count) =>
        {
            var length = checked((int)(count * width));
            source.Slice(at * width, length).CopyTo(bytes.AsSpan(to));
            to += length;
        });
        return new MemoryContent(bytes).Open();
    }

    private static long[] Sizes(Tensor tensor, int[]?[] kept) => [.. tensor.Sizes.Select((s, i) => kept[i]?.Length ?? s)];

    /// <summary>Calls <paramref name="copy"/> with first element and number of elements of each run that is kept, in order.</summary>
    private static void Visit(Tensor tensor, int[]?[] kept, Action<long, long> copy)
    {
        // Dimensions within the innermost cut one are copied whole.
        var last = Array.FindLastIndex(kept, k => k is not null);
        if (last < 0)
        {
            copy(0, tensor.Count);
            return;
        }

        long inner = 1;
        for (var i = last + 1; i < tensor.Rank; i++)
        {
            inner *= tensor.Sizes[i];
        }

        var runs = Runs(kept[last]!);
        void Walk(int dimension, long offset)
        {
            if (dimension == last)
            {
                foreach (var run in CollectionsMarshal.AsSpan(runs))
                {
                    copy((offset * tensor.Sizes[dimension] + run.Start) * inner, run.Count * inner);
                }

                return;
            }

            var size = kept[dimension]?.Length ?? tensor.Sizes[dimension];
            for (var i = 0; i < size; i++)
            {
                Walk(dimension + 1, offset * tensor.Sizes[dimension] + (kept[dimension]?[i] ?? i));
            }
        }

        Walk(0, 0);
    }

    private static List<PositionRun> Runs(int[] positions)
    {
        var runs = new List<PositionRun>();
        for (var i = 0; i < positions.Length; i++)
        {
            var start = i;
            while (i + 1 < positions.Length && positions[i + 1] == positions[i] + 1)
            {
                i++;
            }

            runs.Add(new(positions[start], i + 1 - start));
        }

        return runs;
    }
}
