using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Ir;

/// <summary>One place where a value is used.</summary>
/// <param name="Node">The node that reads the value.</param>
/// <param name="Index">Which of the node's inputs.</param>
public readonly record struct Use(Node Node, int Index);

/// <summary>
/// A value of a graph: an input, an initializer or a node's output, with everything that uses it, also from subgraphs.
/// Nodes refer to values by object, so renaming one needs no search.
/// </summary>
public sealed class Value
{
    private readonly List<Use> _uses = [];

    internal Value(OnnxGraph graph, string name)
    {
        Graph = graph;
        Name = name;
    }

    /// <summary>The graph the value belongs to.</summary>
    public OnnxGraph Graph { get; internal set; }

    /// <summary>Name, unique in its graph and those around it. Change it with <see cref="OnnxGraph.Rename"/>.</summary>
    public string Name { get; internal set; }

    /// <summary>Type, or null where it is not known (shape inference fills it).</summary>
    public OnnxType? Type { get; set; }

    /// <summary>Element type of a tensor, or <see cref="DataType.Undefined"/>.</summary>
    public DataType ElementType => Initializer?.Type ?? (Type as TensorType)?.ElementType ?? DataType.Undefined;

    /// <summary>Shape of a tensor, or null when its rank is not known.</summary>
    public Shape? Shape => Initializer?.Shape ?? (Type as TensorType)?.Shape;

    /// <summary>The node whose output this is, or null for graph inputs and initializers.</summary>
    public Node? Producer { get; internal set; }

    /// <summary>Which of the producer's outputs, 0 when there is no producer.</summary>
    public int OutputIndex { get; internal set; }

    /// <summary>The constant of an initializer, else null. Set through <see cref="OnnxGraph.SetInitializer"/>.</summary>
    public Tensor? Initializer { get; internal set; }

    /// <summary>Whether the value is among its graph's inputs.</summary>
    public bool IsGraphInput { get; internal set; }

    /// <summary>Whether a graph returns the value: its own, or a subgraph that returns a value from around it.</summary>
    public bool IsGraphOutput => OutputOf.Count > 0;

    /// <summary>The graphs that return the value, once for each of their outputs it is.</summary>
    internal List<OnnxGraph> OutputOf { get; } = [];

    /// <summary>
    /// The value's constant when it cannot be overridden at run time: an initializer that is not also a graph input, or the output
    /// of a Constant node with a tensor; else null.
    /// </summary>
    public Tensor? Constant => Initializer is { } tensor
        ? (IsGraphInput ? null : tensor)
        : Producer is { OpType: "Constant", Domain: "" } node && node.Attribute("value")?.Value is Tensor value ? value : null;

    /// <summary>All places where nodes read the value, also nodes of subgraphs; graph outputs are not among them.</summary>
    public IReadOnlyList<Use> Uses => _uses;

    /// <summary>Documentation of the value (<c>ValueInfoProto.doc_string</c>).</summary>
    public string DocString { get; set; } = "";

    /// <summary>Whether nothing reads the value and no graph returns it.</summary>
    public bool IsUnused => _uses.Count == 0 && !IsGraphOutput;

    /// <summary>Metadata of the value (<c>ValueInfoProto.metadata_props</c>), in file order.</summary>
    public IList<KeyValuePair<string, string>> Metadata { get; } = [];

    /// <summary>Whether the value is a constant given as a sparse tensor (<see cref="OnnxGraph.SparseInitializers"/>).</summary>
    internal bool IsSparseInitializer { get; set; }

    /// <summary>Lets every node that reads this value read <paramref name="other"/> instead; graph outputs stay.</summary>
    public void ReplaceUsesWith(Value other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other == this)
        {
            return;
        }

        var uses = _uses.ToArray();
        _uses.Clear();
        foreach (var use in uses)
        {
            use.Node.RetargetInput(use.Index, other);
        }
    }

    /// <summary>For example <c>x: float[1,3]</c>.</summary>
    public override string ToString() => $"{Name}: {(object?)Type ?? Initializer}";

    internal void AddUse(Node node, int index) => _uses.Add(new Use(node, index));

    internal void RemoveUse(Node node, int index) => _uses.Remove(new Use(node, index));
}
