using System.Collections.Immutable;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Ir;

/// <summary>Kind of an attribute; values are those of <c>AttributeProto.AttributeType</c>.</summary>
public enum AttributeKind
{
    /// <summary>Not set.</summary>
    Undefined = 0,

    /// <summary>One binary32.</summary>
    Float = 1,

    /// <summary>One signed 64-bit integer.</summary>
    Int = 2,

    /// <summary>One byte string, UTF-8 by convention.</summary>
    String = 3,

    /// <summary>One tensor.</summary>
    Tensor = 4,

    /// <summary>A subgraph.</summary>
    Graph = 5,

    /// <summary>Several binary32.</summary>
    Floats = 6,

    /// <summary>Several integers.</summary>
    Ints = 7,

    /// <summary>Several byte strings.</summary>
    Strings = 8,

    /// <summary>Several tensors.</summary>
    Tensors = 9,

    /// <summary>Several subgraphs.</summary>
    Graphs = 10,

    /// <summary>One sparse tensor.</summary>
    SparseTensor = 11,

    /// <summary>Several sparse tensors.</summary>
    SparseTensors = 12,

    /// <summary>One type.</summary>
    TypeProto = 13,

    /// <summary>Several types.</summary>
    TypeProtos = 14,
}

/// <summary>A named attribute of a node: <c>AttributeProto</c> of the ONNX IR specification. Immutable, but for the subgraphs it may hold.</summary>
/// <param name="Name">Name, unique within the node.</param>
/// <param name="Kind">Which kind of value it holds.</param>
/// <param name="Value">
/// The value by kind: float, long, <c>ReadOnlyMemory&lt;byte&gt;</c> (string), <see cref="Tensors.Tensor"/>, <see cref="OnnxGraph"/>,
/// <see cref="SparseTensor"/>, <see cref="OnnxType"/>, or an <c>ImmutableArray</c> of one of these; null for a reference.
/// </param>
public sealed record NodeAttribute(string Name, AttributeKind Kind, object? Value)
{
    /// <summary>In a function body: the function's attribute this one takes its value from; else empty.</summary>
    public string ReferenceName { get; init; } = "";

    /// <summary>Documentation, empty by default.</summary>
    public string DocString { get; init; } = "";

    /// <summary>How the file encoded it; null for what was made here.</summary>
    internal Onnx.MessageOrigin? Origin { get; init; }

    /// <summary>One integer.</summary>
    public static NodeAttribute Int(string name, long value) => new(name, AttributeKind.Int, value);

    /// <summary>One float.</summary>
    public static NodeAttribute Float(string name, float value) => new(name, AttributeKind.Float, value);

    /// <summary>One string.</summary>
    public static NodeAttribute String(string name, string value) =>
        new(name, AttributeKind.String, (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(value));

    /// <summary>One tensor.</summary>
    public static NodeAttribute Tensor(string name, Tensor value) => new(name, AttributeKind.Tensor, value);

    /// <summary>A subgraph.</summary>
    public static NodeAttribute Graph(string name, OnnxGraph value) => new(name, AttributeKind.Graph, value);

    /// <summary>Several integers.</summary>
    public static NodeAttribute Ints(string name, params ReadOnlySpan<long> values) =>
        new(name, AttributeKind.Ints, ImmutableArray.Create(values));

    /// <summary>Several floats.</summary>
    public static NodeAttribute Floats(string name, params ReadOnlySpan<float> values) =>
        new(name, AttributeKind.Floats, ImmutableArray.Create(values));

    /// <summary>Several strings.</summary>
    public static NodeAttribute Strings(string name, params IEnumerable<string> values) => new(
        name, AttributeKind.Strings, values.Select(v => (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(v)).ToImmutableArray());

    /// <summary>The subgraphs held, none for other kinds.</summary>
    public ImmutableArray<OnnxGraph> Subgraphs => Value switch
    {
        OnnxGraph graph => [graph],
        ImmutableArray<OnnxGraph> graphs => graphs,
        _ => [],
    };
}
