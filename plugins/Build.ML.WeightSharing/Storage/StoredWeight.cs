using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.WeightSharing.Storage;

/// <summary>A weight in the graph as codebook and indices: first with plain indices, beside which a codebook can be trained, then packed.</summary>
internal sealed class StoredWeight
{
    // Node and names of a layer's decoding, for the estimate of what it saves.
    private const int Overhead = 512;

    private readonly SharedWeight _shared;
    private readonly OnnxGraph _graph;
    private readonly string _name;
    private readonly Value _codebook;
    private readonly Value _indices;
    private readonly Node _lookup;

    /// <summary>Puts codebook and plain indices in a weight's place.</summary>
    /// <param name="weight">The constant to replace; an initializer.</param>
    /// <param name="channelAxis">Axis that has a codebook for each position, or −1 for one of all.</param>
    /// <param name="shared">Its codebooks.</param>
    public StoredWeight(Value weight, int channelAxis, SharedWeight shared)
    {
        (_shared, _graph, _name) = (shared, weight.Graph, weight.Name);
        var sizes = weight.Initializer!.Sizes;
        var first = _graph.FirstNode!;
        long[] shape = shared.Rows == 1 ? [.. sizes] : [shared.Rows, shared.Count / shared.Rows];
        _codebook = _graph.AddInitializer(
            _name + ".codebook", shared.Rows == 1 ? Tensor.Of(shared.Values, shared.Values.Length) : Tensor.Of(shared.Values, shared.Rows, shared.Entries));
        _indices = _graph.AddInitializer(_name + ".plain_indices", new Tensor(DataType.Int32, shape, new ComputedContent(4L * shared.Count, () => Widened(shared.Indices()))));
        var result = shared.Rows == 1
            ? _graph.Add("Gather", [_codebook, _indices], _name + ".shared", before: first)
            : _graph.Add("GatherElements", [_codebook, _indices], _name + ".rows", [NodeAttribute.Int("axis", 1)], before: first);
        _lookup = result.Producer!;
        if (shared.Rows > 1)
        {
            result = InOrder(result, sizes, channelAxis, first);
        }

        weight.ReplaceUsesWith(result);
        _graph.SetInitializer(weight, null);
        if (_graph.Find(_name) is null)
        {
            _graph.Rename(result, _name);
        }
    }

    /// <summary>Name of the codebook's initializer.</summary>
    public string CodebookName => _codebook.Name;

    /// <summary>Whether the codebook is where training finds it.</summary>
    public bool IsTrainable(Model model) => _graph == model.Graph;

    /// <summary>Sets the zeros of a codebook that stay zeros.</summary>
    public void HoldZeros(Span<float> codebook)
    {
        for (var i = 0; _shared.HasZero && i < codebook.Length; i += _shared.Entries)
        {
            codebook[i] = 0;
        }
    }

    /// <summary>Bytes that a weight takes as codebook and indices, and what goes with them.</summary>
    public static long Bytes(SharedWeight shared) => PackedIndices.Length(shared.Count, shared.Bits) + 4L * shared.Values.Length + Overhead;

    /// <summary>Puts packed indices in the place of the plain ones.</summary>
    /// <param name="decoders">One for each graph that has been met.</param>
    public void Pack(Dictionary<OnnxGraph, IndexDecoder> decoders)
    {
        var decoder = decoders.TryGetValue(_graph, out var found) ? found : decoders[_graph] = new IndexDecoder(_graph);
        var indices = decoder.Decode(_name + ".indices", PackedIndices.Content(_shared, _shared.Bits), _shared.Bits, _indices.Initializer!.Sizes.AsSpan(), _lookup);
        _indices.ReplaceUsesWith(indices);
        _graph.SetInitializer(_indices, null);
    }

    // [channels, rest] to the weight's own order of axes.
    private Value InOrder(Value rows, IReadOnlyList<long> sizes, int axis, Node before)
    {
        List<long> shape = [sizes[axis], .. sizes.Take(axis), .. sizes.Skip(axis + 1)];
        if (shape.Count > 2)
        {
            rows = _graph.Add("Reshape", [rows, _graph.AddInitializer(_name + ".shape", Tensor.Of([.. shape], shape.Count))], _name + ".channels", before: before);
        }

        return axis == 0 ? rows : _graph.Add(
            "Transpose", [rows], _name + ".shared",
            [NodeAttribute.Ints("perm", [.. Enumerable.Range(1, axis).Select(i => (long)i), 0, .. Enumerable.Range(axis + 1, sizes.Count - axis - 1).Select(i => (long)i)])], before: before);
    }

    private static byte[] Widened(byte[] indices)
    {
        var bytes = new byte[4L * indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            bytes[4 * i] = indices[i];
        }

        return bytes;
    }
}
