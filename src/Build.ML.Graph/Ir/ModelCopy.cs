using System.Collections.Immutable;
using Build.ML.Graph.Onnx;

namespace Build.ML.Graph.Ir;

/// <summary>Copies a model's graphs; what is immutable is shared.</summary>
internal sealed class ModelCopy(Model source, Model target)
{
    private readonly Dictionary<Value, Value> _values = new(ReferenceEqualityComparer.Instance);

    /// <summary>Fills the target, which must be empty.</summary>
    public void Run()
    {
        target.ProducerName = source.ProducerName;
        target.ProducerVersion = source.ProducerVersion;
        target.Domain = source.Domain;
        target.ModelVersion = source.ModelVersion;
        target.DocString = source.DocString;
        target.Origin = source.Origin;
        Copy(source.Metadata, target.Metadata);
        Copy(source.TrainingInfo, target.TrainingInfo);
        Fill(source.Graph, target.Graph);
        CopyOperators();
    }

    /// <summary>Fills the target, which must be empty, with some nodes of the main graph and the initializers they read.</summary>
    /// <param name="nodes">In order of execution.</param>
    /// <param name="inputs">What they read besides initializers and each other's outputs, with types.</param>
    /// <param name="outputs">What the target returns: outputs of the nodes, or initializers.</param>
    public void RunPart(IReadOnlyList<Node> nodes, IReadOnlyList<KeyValuePair<Value, OnnxType?>> inputs, IReadOnlyList<Value> outputs)
    {
        var graph = target.Graph;
        graph.Name = source.Graph.Name;
        foreach (var (value, type) in inputs)
        {
            _values.Add(value, graph.AddInput(value.Name, type));
        }

        foreach (var value in nodes.SelectMany(n => n.Reads()).Concat(outputs))
        {
            if (value.Graph == source.Graph && (value.Initializer is not null || value.IsSparseInitializer) && !_values.ContainsKey(value))
            {
                DeclareInitializer(value, graph);
            }
        }

        var copies = new Node[nodes.Count];
        for (var i = 0; i < copies.Length; i++)
        {
            copies[i] = Declare(nodes[i], graph);
        }

        for (var i = 0; i < copies.Length; i++)
        {
            Connect(nodes[i], copies[i]);
        }

        foreach (var output in outputs)
        {
            graph.AddOutput(_values[output]);
        }

        CopyOperators();
    }

    private void CopyOperators()
    {
        target.IrVersion = source.IrVersion;
        target.OperatorSets.CopyFrom(source.OperatorSets);
        foreach (var function in source.Functions)
        {
            var copy = new Function(function.Domain, function.Name)
            {
                Overload = function.Overload,
                DocString = function.DocString,
                Origin = function.Origin,
            };
            copy.OperatorSets.CopyFrom(function.OperatorSets);
            Copy(function.Metadata, copy.Metadata);
            Copy(function.RequiredAttributes, copy.RequiredAttributes);
            Fill(function.Body, copy.Body);
            foreach (var attribute in function.DefaultAttributes)
            {
                copy.DefaultAttributes.Add(CopyOf(attribute));
            }

            target.Functions.Add(copy);
        }
    }

    private void Fill(OnnxGraph from, OnnxGraph to)
    {
        Declare(from, to);
        Connect(from, to);
    }

    /// <summary>All values and nodes first, those of subgraphs too: a node may read what a later one gives.</summary>
    private void Declare(OnnxGraph from, OnnxGraph to)
    {
        to.Name = from.Name;
        to.DocString = from.DocString;
        Copy(from.Metadata, to.Metadata);
        foreach (var input in from.Inputs)
        {
            CopyFacts(input, to.AddInput(input.Name, input.Type));
        }

        foreach (var value in from.Initializers)
        {
            var copy = _values.GetValueOrDefault(value) ?? to.Declare(value.Name);
            CopyFacts(value, copy);
            to.SetInitializer(copy, value.Initializer);
        }

        foreach (var (value, sparse) in from.SparseInitializers)
        {
            var copy = _values.GetValueOrDefault(value) ?? to.Declare(value.Name);
            CopyFacts(value, copy);
            copy.IsSparseInitializer = true;
            to.SparseInitializers.Add(new(copy, sparse));
        }

        for (var node = from.FirstNode; node is not null; node = node.Next)
        {
            Declare(node, to);
        }

        // Values that nothing gives: a graph under construction, which Validate reports.
        foreach (var value in from.Values)
        {
            if (!_values.ContainsKey(value))
            {
                CopyFacts(value, to.Declare(value.Name));
            }
        }
    }

    private Node Declare(Node node, OnnxGraph to)
    {
        var copy = to.CreateNode(node.OpType, node.Domain);
        copy.Name = node.Name;
        copy.Overload = node.Overload;
        copy.DocString = node.DocString;
        copy.Origin = node.Origin;
        Copy(node.Metadata, copy.Metadata);
        foreach (var output in node.Outputs)
        {
            CopyFacts(output, copy.AddOutput(output.Name));
        }

        foreach (var attribute in node.Attributes)
        {
            copy.AppendAttribute(Declared(attribute));
        }

        to.InsertBefore(null, copy);
        return copy;
    }

    private void DeclareInitializer(Value value, OnnxGraph to)
    {
        var copy = to.Declare(value.Name);
        CopyFacts(value, copy);
        if (value.Initializer is { } tensor)
        {
            to.SetInitializer(copy, tensor);
            return;
        }

        copy.IsSparseInitializer = true;
        to.SparseInitializers.Add(new(copy, source.Graph.SparseInitializers.First(s => s.Key == value).Value));
    }

    private void Connect(Node node, Node copy)
    {
        var inputs = new Value?[node.Inputs.Count];
        for (var i = 0; i < inputs.Length; i++)
        {
            inputs[i] = node.Inputs[i] is { } input ? _values[input] : null;
        }

        copy.SetInputs(inputs);
        foreach (var (graph, graphCopy) in node.Subgraphs.Zip(copy.Subgraphs))
        {
            Connect(graph, graphCopy);
        }
    }

    private void Connect(OnnxGraph from, OnnxGraph to)
    {
        for (Node? node = from.FirstNode, copy = to.FirstNode; node is not null; node = node.Next, copy = copy!.Next)
        {
            Connect(node, copy!);
        }

        foreach (var output in from.Outputs)
        {
            to.AddOutput(_values[output]);
        }

        to.Origin = from.Origin is { } origin
            ? new GraphOrigin(origin.Message)
            {
                Inputs = CopyOf(origin.Inputs),
                Outputs = CopyOf(origin.Outputs),
                ValueInfos = CopyOf(origin.ValueInfos),
                Annotations = [.. origin.Annotations.Where(a => IsThere(a.Value)).Select(a => a with { Value = CopyOf(a.Value) })],
            }
            : null;
    }

    private void CopyFacts(Value from, Value to)
    {
        to.Type = from.Type;
        to.DocString = from.DocString;
        if (_values.TryAdd(from, to))
        {
            Copy(from.Metadata, to.Metadata);
        }
    }

    private NodeAttribute Declared(NodeAttribute attribute)
    {
        switch (attribute.Value)
        {
            case OnnxGraph graph:
                return attribute with { Value = Declared(graph) };
            case ImmutableArray<OnnxGraph> graphs:
                return attribute with { Value = graphs.Select(Declared).ToImmutableArray() };
            default:
                return attribute;
        }
    }

    private OnnxGraph Declared(OnnxGraph graph)
    {
        var copy = new OnnxGraph();
        Declare(graph, copy);
        return copy;
    }

    private NodeAttribute CopyOf(NodeAttribute attribute)
    {
        var copy = Declared(attribute);
        foreach (var (graph, graphCopy) in attribute.Subgraphs.Zip(copy.Subgraphs))
        {
            Connect(graph, graphCopy);
        }

        return copy;
    }

    private List<ValueRecord> CopyOf(List<ValueRecord> records) => [.. records.Where(r => IsThere(r.Value)).Select(r => r with { Value = CopyOf(r.Value) })];

    /// <summary>Records of values that have been removed since reading are not copied; those that never had a value are.</summary>
    private bool IsThere(Value? value) => value is null || _values.ContainsKey(value);

    private Value? CopyOf(Value? value) => value is null ? null : _values.GetValueOrDefault(value);

    private static void Copy<T>(IEnumerable<T> from, IList<T> to)
    {
        foreach (var item in from)
        {
            to.Add(item);
        }
    }
}
