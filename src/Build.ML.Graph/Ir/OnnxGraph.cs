using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Ir;

/// <summary>
/// A graph: inputs, initializers, nodes in execution order, outputs. Either a model's main graph, a subgraph held by an attribute
/// (If, Loop, Scan), or a function's body. Subgraphs read values of the graphs around them by name: here, by object.
/// </summary>
public sealed partial class OnnxGraph
{
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);
    private readonly List<Value> _inputs = [];
    private readonly List<Value> _outputs = [];
    private readonly List<Value> _initializers = [];
    private readonly HashSet<OnnxGraph> _subgraphs = [];
    private int _nextName;

    /// <summary>An empty graph.</summary>
    public OnnxGraph(string name = "") => Name = name;

    /// <summary>Name of the graph.</summary>
    public string Name { get; set; }

    /// <summary>Documentation.</summary>
    public string DocString { get; set; } = "";

    /// <summary>The node whose attribute holds this subgraph, or null.</summary>
    public Node? ParentNode { get; internal set; }

    /// <summary>Inputs in order. In files of IR version 3 an initializer is an input too.</summary>
    public IReadOnlyList<Value> Inputs => _inputs;

    /// <summary>Outputs in order.</summary>
    public IReadOnlyList<Value> Outputs => _outputs;

    /// <summary>Values with a constant, in file order.</summary>
    public IReadOnlyList<Value> Initializers => _initializers;

    /// <summary>Initializers given as sparse tensors, by the value that names each.</summary>
    public IList<KeyValuePair<Value, SparseTensor>> SparseInitializers { get; } = [];

    /// <summary>Metadata (<c>metadata_props</c>), in file order.</summary>
    public IList<KeyValuePair<string, string>> Metadata { get; } = [];

    /// <summary>All named values of this graph (not those of subgraphs), in order of creation.</summary>
    public IReadOnlyCollection<Value> Values => _values.Values;

    /// <summary>How the file encoded the graph; null for one made here.</summary>
    internal Onnx.GraphOrigin? Origin { get; set; }

    /// <summary>The value of that name in this graph or those around it, or null.</summary>
    public Value? Find(string name)
    {
        for (var graph = this; graph is not null; graph = graph.ParentNode?.Graph)
        {
            if (graph._values.TryGetValue(name, out var value))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>A name no value in scope has: <paramref name="prefix"/> itself, or with a number.</summary>
    public string UniqueName(string prefix)
    {
        var name = prefix;
        while (Find(name) is not null || NameUsedBelow(name))
        {
            name = $"{prefix}_{++_nextName}";
        }

        return name;
    }

    /// <summary>Adds an input.</summary>
    public Value AddInput(string name, OnnxType? type)
    {
        var value = _values.TryGetValue(name, out var initializer) && initializer is { IsGraphInput: false, Producer: null }
            ? initializer : CreateValue(name);
        value.Type = type ?? value.Type;
        value.IsGraphInput = true;
        _inputs.Add(value);
        return value;
    }

    /// <summary>Removes an input; if it is an initializer too, the initializer stays.</summary>
    public void RemoveInput(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _inputs.Remove(value);
        value.IsGraphInput = false;
        ForgetIfGone(value);
    }

    /// <summary>Adds an output.</summary>
    public void AddOutput(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _outputs.Add(value);
        value.OutputOf.Add(this);
    }

    /// <summary>Lets output number <paramref name="index"/> return another value. The output's name becomes that value's.</summary>
    public void SetOutput(int index, Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _outputs[index].OutputOf.Remove(this);
        _outputs[index] = value;
        value.OutputOf.Add(this);
    }

    /// <summary>Removes output number <paramref name="index"/>.</summary>
    public void RemoveOutput(int index)
    {
        _outputs[index].OutputOf.Remove(this);
        _outputs.RemoveAt(index);
    }

    /// <summary>Adds a constant under a name made unique from <paramref name="name"/>.</summary>
    public Value AddInitializer(string name, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var value = CreateValue(UniqueName(name));
        SetInitializer(value, tensor);
        return value;
    }

    /// <summary>Gives a value a constant, replacing the one it has; null takes it away.</summary>
    public void SetInitializer(Value value, Tensor? tensor)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Initializer is null && tensor is not null)
        {
            _initializers.Add(value);
        }
        else if (value.Initializer is not null && tensor is null)
        {
            _initializers.Remove(value);
        }

        value.Initializer = tensor;
        ForgetIfGone(value);
    }

    /// <summary>Renames a value of this graph.</summary>
    /// <exception cref="ArgumentException">The name is taken in this graph.</exception>
    public void Rename(Value value, string name)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Name == name)
        {
            return;
        }

        if (name.Length > 0 && !_values.TryAdd(name, value))
        {
            throw new ArgumentException($"The name '{name}' is taken in graph '{Name}'.", nameof(name));
        }

        _values.Remove(value.Name);
        value.Name = name;
    }

    /// <summary>Drops a value that is no input, initializer or node output any more and that nothing uses.</summary>
    internal void ForgetIfGone(Value value)
    {
        if (value is { Initializer: null, IsSparseInitializer: false, IsGraphInput: false, Producer: null, IsUnused: true })
        {
            _values.Remove(value.Name);
        }
    }

    /// <summary>The value of that name in this very graph, or null.</summary>
    internal Value? FindHere(string name) => _values.GetValueOrDefault(name);

    /// <summary>The value of that name in this very graph, created if need be.</summary>
    internal Value Declare(string name) => FindHere(name) ?? CreateValue(name);

    /// <summary>A node of this graph got a subgraph.</summary>
    internal void Adopt(OnnxGraph subgraph) => _subgraphs.Add(subgraph);

    /// <summary>A node of this graph lost a subgraph.</summary>
    internal void Abandon(OnnxGraph subgraph) => _subgraphs.Remove(subgraph);

    /// <summary>Creates a value of this graph; the empty name makes a left-out output.</summary>
    /// <exception cref="ArgumentException">The name is taken in this graph.</exception>
    internal Value CreateValue(string name)
    {
        var value = new Value(this, name);
        return name.Length == 0 || _values.TryAdd(name, value)
            ? value
            : throw new ArgumentException($"The name '{name}' is taken in graph '{Name}'.", nameof(name));
    }

    private bool NameUsedBelow(string name)
    {
        foreach (var graph in _subgraphs)
        {
            if (graph._values.ContainsKey(name) || graph.NameUsedBelow(name))
            {
                return true;
            }
        }

        return false;
    }
}
