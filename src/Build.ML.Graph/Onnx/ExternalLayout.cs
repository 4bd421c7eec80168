using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>Which tensors go into a file beside the model, and where in it: each at a multiple of 4096, so that it can be mapped.</summary>
internal sealed class ExternalLayout
{
    private const long Alignment = 4096;
    private readonly Dictionary<Tensor, long> _offsets = new(ReferenceEqualityComparer.Instance);
    private readonly List<Tensor> _tensors = [];

    /// <summary>A layout with no tensor.</summary>
    public static ExternalLayout None { get; } = new();

    /// <summary>Name of the file, relative to the model.</summary>
    public string Location { get; private init; } = "";

    /// <summary>Number of bytes of the file.</summary>
    public long Length { get; private set; }

    /// <summary>Whether there is no file.</summary>
    public bool IsEmpty => _tensors.Count == 0;

    /// <summary>Lays out the tensors of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="location">Name of the file.</param>
    /// <param name="isExternal">Which initializers go there.</param>
    public static ExternalLayout Of(Model model, string location, Func<Tensor, bool> isExternal)
    {
        var layout = new ExternalLayout { Location = location };
        layout.Add(model.Graph, isExternal);
        foreach (var node in model.AllNodes)
        {
            foreach (var graph in node.Subgraphs)
            {
                layout.Add(graph, isExternal);
            }
        }

        return layout;
    }

    /// <summary>Where a tensor is in the file, or null when it is in the model.</summary>
    public long? OffsetOf(Tensor tensor) => _offsets.TryGetValue(tensor, out var offset) ? offset : null;

    /// <summary>Writes the file.</summary>
    public void Write(Stream destination, CancellationToken cancellation)
    {
        var padding = new byte[Alignment];
        long position = 0;
        foreach (var tensor in _tensors)
        {
            var offset = _offsets[tensor];
            destination.Write(padding, 0, (int)(offset - position));
            tensor.Content.CopyTo(destination, cancellation);
            position = offset + tensor.ByteLength;
        }
    }

    private void Add(OnnxGraph graph, Func<Tensor, bool> isExternal)
    {
        foreach (var value in graph.Initializers)
        {
            var tensor = value.Initializer!;
            if (tensor.Type != DataType.String && tensor.ByteLength > 0 && !_offsets.ContainsKey(tensor) && isExternal(tensor))
            {
                var offset = (Length + Alignment - 1) / Alignment * Alignment;
                _offsets.Add(tensor, offset);
                _tensors.Add(tensor);
                Length = offset + tensor.ByteLength;
            }
        }
    }
}
