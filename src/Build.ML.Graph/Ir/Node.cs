using System.Collections.Immutable;

namespace Build.ML.Graph.Ir;

/// <summary>One operation of a graph: <c>NodeProto</c>.</summary>
public sealed class Node
{
    private readonly List<Value?> _inputs = [];
    private readonly List<Value> _outputs = [];
    private readonly List<NodeAttribute> _attributes = [];

    internal Node(OnnxGraph graph, string opType, string domain)
    {
        Graph = graph;
        OpType = opType;
        Domain = domain == "ai.onnx" ? "" : domain;
    }

    /// <summary>The graph the node belongs to.</summary>
    public OnnxGraph Graph { get; internal set; }

    /// <summary>Operator, such as <c>Conv</c>.</summary>
    public string OpType { get; set; }

    /// <summary>Operator set domain; empty for ONNX's own (<c>ai.onnx</c> is read as that).</summary>
    public string Domain { get; set; }

    /// <summary>Which overload of a local function, empty by default.</summary>
    public string Overload { get; set; } = "";

    /// <summary>Name, may be empty, need not be unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>Documentation.</summary>
    public string DocString { get; set; } = "";

    /// <summary>Metadata (<c>metadata_props</c>), in file order.</summary>
    public IList<KeyValuePair<string, string>> Metadata { get; } = [];

    /// <summary>How the file encoded it; null for what was made here.</summary>
    internal Onnx.MessageOrigin? Origin { get; set; }

    /// <summary>Inputs in order; null where an optional input is left out.</summary>
    public IReadOnlyList<Value?> Inputs => _inputs;

    /// <summary>Outputs in order; a left-out output is a value with an empty name.</summary>
    public IReadOnlyList<Value> Outputs => _outputs;

    /// <summary>Attributes in file order.</summary>
    public IReadOnlyList<NodeAttribute> Attributes => _attributes;

    /// <summary>The next node of the graph, or null.</summary>
    public Node? Next { get; internal set; }

    /// <summary>The node before this one, or null.</summary>
    public Node? Previous { get; internal set; }

    /// <summary>The subgraphs of all attributes.</summary>
    public IEnumerable<OnnxGraph> Subgraphs => HasSubgraphs ? _attributes.SelectMany(a => a.Subgraphs) : [];

    /// <summary>How messages name the node: its name, else operator and first output.</summary>
    public string DisplayName => Name.Length > 0 ? $"{OpType} '{Name}'" : $"{OpType} -> '{(_outputs.Count > 0 ? _outputs[0].Name : "")}'";

    /// <summary>Whether the node is ONNX's own operator <paramref name="opType"/>.</summary>
    public bool Is(string opType) => OpType == opType && Domain.Length == 0;

    /// <summary>Whether the node is operator <paramref name="opType"/> of <paramref name="domain"/>.</summary>
    public bool Is(string opType, string domain) => OpType == opType && Domain == domain;

    /// <summary>The input at <paramref name="index"/>, or null when left out or beyond the last.</summary>
    public Value? Input(int index) => index < _inputs.Count ? _inputs[index] : null;

    /// <summary>All values that the node reads: its inputs, and what its subgraphs read of the graphs around them; some more than once.</summary>
    public IEnumerable<Value> Reads()
    {
        foreach (var input in _inputs)
        {
            if (input is not null)
            {
                yield return input;
            }
        }

        foreach (var value in Subgraphs.SelectMany(g => g.OuterReads()))
        {
            yield return value;
        }
    }

    /// <summary>The attribute of that name, or null.</summary>
    public NodeAttribute? Attribute(string name)
    {
        foreach (var attribute in _attributes)
        {
            if (attribute.Name == name)
            {
                return attribute;
            }
        }

        return null;
    }

    /// <summary>An integer attribute, or <paramref name="otherwise"/> when it is not there.</summary>
    public long Int(string name, long otherwise) => Attribute(name)?.Value is long value ? value : otherwise;

    /// <summary>A float attribute, or <paramref name="otherwise"/> when it is not there.</summary>
    public float Float(string name, float otherwise) => Attribute(name)?.Value is float value ? value : otherwise;

    /// <summary>A string attribute, or <paramref name="otherwise"/> when it is not there.</summary>
    public string String(string name, string otherwise) =>
        Attribute(name)?.Value is ReadOnlyMemory<byte> value ? System.Text.Encoding.UTF8.GetString(value.Span) : otherwise;

    /// <summary>An integer list attribute, or default (<c>IsDefault</c>) when it is not there.</summary>
    public ImmutableArray<long> Ints(string name) => Attribute(name)?.Value is ImmutableArray<long> value ? value : default;

    /// <summary>A float list attribute, or default when it is not there.</summary>
    public ImmutableArray<float> Floats(string name) => Attribute(name)?.Value is ImmutableArray<float> value ? value : default;

    /// <summary>Adds the attribute, or replaces the one of its name.</summary>
    public void SetAttribute(NodeAttribute attribute)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        var index = _attributes.FindIndex(a => a.Name == attribute.Name);
        if (index < 0)
        {
            AppendAttribute(attribute);
            return;
        }

        Abandon(_attributes[index]);
        _attributes[index] = attribute;
        Adopt(attribute);
    }

    /// <summary>Removes the attribute of that name, if any.</summary>
    public void RemoveAttribute(string name)
    {
        var index = _attributes.FindIndex(a => a.Name == name);
        if (index >= 0)
        {
            Abandon(_attributes[index]);
            _attributes.RemoveAt(index);
        }
    }

    /// <summary>Sets one input; inputs between the last and <paramref name="index"/> become left out.</summary>
    public void SetInput(int index, Value? value)
    {
        while (_inputs.Count <= index)
        {
            _inputs.Add(null);
        }

        _inputs[index]?.RemoveUse(this, index);
        _inputs[index] = value;
        value?.AddUse(this, index);
    }

    /// <summary>Replaces all inputs.</summary>
    public void SetInputs(params ReadOnlySpan<Value?> values)
    {
        for (var i = 0; i < _inputs.Count; i++)
        {
            _inputs[i]?.RemoveUse(this, i);
        }

        _inputs.Clear();
        for (var i = 0; i < values.Length; i++)
        {
            _inputs.Add(values[i]);
            values[i]?.AddUse(this, i);
        }
    }

    /// <summary>Appends an output of that name (empty for a left-out output).</summary>
    public Value AddOutput(string name)
    {
        var value = Graph.CreateValue(name);
        value.Producer = this;
        value.OutputIndex = _outputs.Count;
        _outputs.Add(value);
        return value;
    }

    /// <summary>Removes the outputs after the first <paramref name="count"/>.</summary>
    /// <exception cref="InvalidOperationException">One of them is still used.</exception>
    public void TrimOutputs(int count)
    {
        for (var i = _outputs.Count - 1; i >= count; i--)
        {
            if (!_outputs[i].IsUnused)
            {
                throw new InvalidOperationException($"Output '{_outputs[i].Name}' of {DisplayName} cannot be removed: it is still used.");
            }

            _outputs[i].Producer = null;
            Graph.ForgetIfGone(_outputs[i]);
            _outputs.RemoveAt(i);
        }
    }

    /// <summary>Adds an attribute whose name the node does not have yet.</summary>
    internal void AppendAttribute(NodeAttribute attribute)
    {
        _attributes.Add(attribute);
        Adopt(attribute);
    }

    /// <summary>Makes the node read another value, where the value read so far has forgotten its uses already.</summary>
    internal void RetargetInput(int index, Value value)
    {
        _inputs[index] = value;
        value.AddUse(this, index);
    }

    /// <summary>Whether an attribute holds a subgraph: few nodes have one, and this is asked often.</summary>
    private bool HasSubgraphs
    {
        get
        {
            foreach (var attribute in _attributes)
            {
                if (attribute.Kind is AttributeKind.Graph or AttributeKind.Graphs)
                {
                    return true;
                }
            }

            return false;
        }
    }

    private void Adopt(NodeAttribute attribute)
    {
        if (attribute.Kind is AttributeKind.Graph or AttributeKind.Graphs)
        {
            foreach (var graph in attribute.Subgraphs)
            {
                graph.ParentNode = this;
                Graph.Adopt(graph);
            }
        }
    }

    private void Abandon(NodeAttribute attribute)
    {
        if (attribute.Kind is AttributeKind.Graph or AttributeKind.Graphs)
        {
            foreach (var graph in attribute.Subgraphs)
            {
                Graph.Abandon(graph);
            }
        }
    }

    /// <summary>For example <c>y = Relu(x)</c>.</summary>
    public override string ToString() =>
        $"{string.Join(", ", _outputs.Select(o => o.Name))} = {(Domain.Length > 0 ? Domain + "." : "")}{OpType}({string.Join(", ", _inputs.Select(i => i?.Name ?? ""))})";
}
