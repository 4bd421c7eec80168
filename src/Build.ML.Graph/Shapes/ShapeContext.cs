using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Shapes;

/// <summary>What a <see cref="ShapeRule"/> sees of a node, and where it puts the output types.</summary>
public sealed class ShapeContext
{
    private readonly TypeInferrer _inferrer;
    private readonly OnnxType?[] _types;
    private readonly ImmutableArray<SymbolicInteger>[] _data;

    internal ShapeContext(TypeInferrer inferrer, Node node)
    {
        _inferrer = inferrer;
        Node = node;
        _types = new OnnxType?[node.Outputs.Count];
        _data = new ImmutableArray<SymbolicInteger>[node.Outputs.Count];
    }

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Version of the operator set of the node's domain.</summary>
    public long Opset => _inferrer.OperatorSets[Node.Domain];

    /// <summary>Number of inputs, left-out ones within included.</summary>
    public int InputCount => Node.Inputs.Count;

    /// <summary>Number of outputs.</summary>
    public int OutputCount => _types.Length;

    internal IReadOnlyList<OnnxType?> Types => _types;

    internal IReadOnlyList<ImmutableArray<SymbolicInteger>> Data => _data;

    internal string? Failure { get; private set; }

    /// <summary>Whether the input is given.</summary>
    public bool HasInput(int index) => Node.Input(index) is not null;

    /// <summary>Type of an input, or null when left out or unknown.</summary>
    public OnnxType? TypeOf(int index) => Node.Input(index) is { } value ? _inferrer.TypeOf(value) : null;

    /// <summary>Element type of a tensor input, or <see cref="DataType.Undefined"/>.</summary>
    public DataType ElementOf(int index) => (TypeOf(index) as TensorType)?.ElementType ?? DataType.Undefined;

    /// <summary>Shape of a tensor input, or null.</summary>
    public Shape? ShapeOf(int index) => (TypeOf(index) as TensorType)?.Shape;

    /// <summary>The constant an input is, or null.</summary>
    public Tensor? ConstantOf(int index) => Node.Input(index)?.Constant;

    /// <summary>
    /// What is known of the elements of a small integer tensor of rank 0 or 1 (a shape under construction); <c>IsDefault</c> when nothing is.
    /// </summary>
    public ImmutableArray<SymbolicInteger> DataOf(int index) => Node.Input(index) is { } value ? _inferrer.DataOf(value) : default;

    /// <summary>What is known of the only element of an integer input.</summary>
    public SymbolicInteger ScalarOf(int index) => DataOf(index) is { IsDefault: false, Length: 1 } data ? data[0] : SymbolicInteger.Unknown;

    /// <summary>The elements of a small integer tensor when all are known, else null.</summary>
    public long[]? ValuesOf(int index)
    {
        var data = DataOf(index);
        if (data.IsDefault)
        {
            return null;
        }

        var values = new long[data.Length];
        for (var i = 0; i < values.Length; i++)
        {
            if (data[i].Value is not { } value)
            {
                return null;
            }

            values[i] = value;
        }

        return values;
    }

    /// <summary>The attribute of that name, one that a function takes from its call included, or null.</summary>
    public NodeAttribute? Attribute(string name) => _inferrer.Resolve(Node.Attribute(name));

    /// <summary>An integer attribute or its default.</summary>
    public long Int(string name, long otherwise) => Attribute(name)?.Value is long value ? value : otherwise;

    /// <summary>A string attribute or its default.</summary>
    public string String(string name, string otherwise) =>
        Attribute(name)?.Value is ReadOnlyMemory<byte> value ? System.Text.Encoding.UTF8.GetString(value.Span) : otherwise;

    /// <summary>An integer list attribute, or null.</summary>
    public ImmutableArray<long>? Ints(string name) => Attribute(name)?.Value is ImmutableArray<long> value ? value : null;

    /// <summary>A float list attribute, or null.</summary>
    public ImmutableArray<float>? Floats(string name) => Attribute(name)?.Value is ImmutableArray<float> value ? value : null;

    /// <summary>An element type attribute (<c>to</c>, <c>dtype</c>) or its default.</summary>
    public DataType Element(string name, DataType otherwise) => Attribute(name)?.Value is long value ? (DataType)value : otherwise;

    /// <summary>Sets the type of an output; ignored for one the node does not have.</summary>
    public void Set(int output, OnnxType? type)
    {
        if (output < _types.Length)
        {
            _types[output] = type;
        }
    }

    /// <summary>Sets an output to a tensor; nothing when the element type is unknown.</summary>
    public void Set(int output, DataType element, Shape? shape) =>
        Set(output, element == DataType.Undefined ? null : new TensorType(element, shape));

    /// <summary>Sets what is known of the elements of a small integer output of rank 0 or 1.</summary>
    public void SetData(int output, ImmutableArray<SymbolicInteger> elements)
    {
        if (output < _data.Length && !elements.IsDefault && elements.Length <= TypeInferrer.MaxDataLength)
        {
            _data[output] = elements;
        }
    }

    /// <summary>States that the node contradicts the operator's definition; outputs stay unknown.</summary>
    /// <param name="message">Actual and expected, without the node's name.</param>
    public void Fail(string message) => Failure ??= message;

    /// <summary>Infers the subgraph of an attribute.</summary>
    /// <param name="attribute">Name of the attribute.</param>
    /// <param name="inputs">Types of its inputs, null for unknown ones.</param>
    /// <returns>Types of its outputs, or null when there is no such subgraph.</returns>
    public IReadOnlyList<OnnxType?>? InferSubgraph(string attribute, IReadOnlyList<OnnxType?> inputs) =>
        Attribute(attribute)?.Value is OnnxGraph graph ? _inferrer.InferSubgraph(graph, inputs) : null;
}
