using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Evaluation;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Shapes;

/// <summary>
/// Walks a graph in order and collects types, leaving the graph as it is. One per model, and one more for each call of a local function, whose body
/// has types of its own at every call.
/// </summary>
sealed class TypeInferrer
{
    /// <summary>Shapes under construction are short; longer integer tensors are data.</summary>
    internal const int MaxDataLength = 128;

    private const int MaxCallDepth = 24;

    private readonly Model _model;
    private readonly ShapeRuleSet _rules;
    private readonly Node? _call;
    private readonly TypeInferrer? _caller;
    private readonly int _depth;
    private readonly bool _useDeclared;
    private readonly Dictionary<Value, ImmutableArray<SymbolicInteger>> _data = [];
    private readonly Dictionary<Value, Tensor> _constants = [];

    public TypeInferrer(Model model, ShapeRuleSet rules, bool useDeclared)
        : this(model, rules, useDeclared, model.OperatorSets, null, null)
    {
    }

    private TypeInferrer(Model model, ShapeRuleSet rules, bool useDeclared, OperatorSets operatorSets, Node? call, TypeInferrer? caller)
    {
        _model = model;
        _rules = rules;
        _useDeclared = useDeclared;
        OperatorSets = operatorSets;
        _call = call;
        _caller = caller;
        _depth = caller is null ? 0 : caller._depth + 1;
        Diagnostics = caller?.Diagnostics ?? [];
        OperatorsWithoutRule = caller?.OperatorsWithoutRule ?? new(StringComparer.Ordinal);
    }

    public OperatorSets OperatorSets { get; }

    public Dictionary<Value, OnnxType> Types { get; } = [];

    public IReadOnlyDictionary<Value, ImmutableArray<SymbolicInteger>> Data => _data;

    /// <summary>Small integer tensors that nodes compute from constants alone, such as the pads that an exporter makes by Reshape and Transpose.</summary>
    public IReadOnlyDictionary<Value, Tensor> Constants => _constants;

    public List<Diagnostic> Diagnostics { get; }

    public SortedSet<string> OperatorsWithoutRule { get; }

    public OnnxType? TypeOf(Value value) =>
        Types.TryGetValue(value, out var type) ? type
        : value.Initializer is { } tensor ? new TensorType(tensor.Type, tensor.Shape)
        : value.Type;

    /// <summary>The known elements of a value; a constant's are read when first asked for.</summary>
    public ImmutableArray<SymbolicInteger> DataOf(Value value)
    {
        if (!_data.TryGetValue(value, out var data) && value.Constant is { } constant)
        {
            _data[value] = data = ReadData(constant);
        }

        return data;
    }

    /// <summary>The attribute, or the call's where a function body refers to it.</summary>
    public NodeAttribute? Resolve(NodeAttribute? attribute)
    {
        if (attribute is not { ReferenceName.Length: > 0 })
        {
            return attribute;
        }

        var given = _call?.Attribute(attribute.ReferenceName) is { } own ? _caller!.Resolve(own) : null;
        return given ?? (_call is null ? null : FunctionOf(_call)?.DefaultAttributes.FirstOrDefault(a => a.Name == attribute.ReferenceName));
    }

    public void InferGraph(OnnxGraph graph)
    {
        foreach (var node in graph.Nodes)
        {
            InferNode(node);
        }
    }

    public IReadOnlyList<OnnxType?> InferSubgraph(OnnxGraph graph, IReadOnlyList<OnnxType?> inputs)
    {
        for (var i = 0; i < graph.Inputs.Count && i < inputs.Count; i++)
        {
            var contradict = false;
            // What a subgraph declares of its inputs may be more than is known at the call, or stale: the call's knowledge comes first.
            if (TypeMerge.Refine(inputs[i], _useDeclared ? graph.Inputs[i].Type : null, ref contradict) is { } type)
            {
                Types[graph.Inputs[i]] = type;
            }
            else
            {
                Types.Remove(graph.Inputs[i]);
            }
        }

        InferGraph(graph);
        return [.. graph.Outputs.Select(TypeOf)];
    }

    public void InferNode(Node node)
    {
        var context = new ShapeContext(this, node);
        if (_rules.Find(node.Domain, node.OpType) is { } rule)
        {
            try
            {
                rule(context);
            }
            catch (Exception e) when (e is OverflowException or ArgumentException or IndexOutOfRangeException or DivideByZeroException or InvalidOperationException)
            {
                // Rules index dimensions by attributes as if these were valid; a node where they are not ends here.
                context.Fail($"its attributes and inputs do not fit the operator ({e.Message})");
            }
        }
        else if (FunctionOf(node) is { } function)
        {
            InferCall(context, function);
        }
        else
        {
            OperatorsWithoutRule.Add(node.Domain.Length > 0 ? $"{node.Domain}.{node.OpType}" : node.OpType);
        }

        Evaluate(node, context);
        if (context.Failure is { } failure)
        {
            Diagnostics.Add(new("BML2102", $"{node.DisplayName}: {failure}.", Location()));
        }

        for (var i = 0; i < node.Outputs.Count; i++)
        {
            Record(node, node.Outputs[i], context.Failure is null ? context.Types[i] : null, context.Data[i]);
        }
    }

    /// <summary>From integers only: what depends on a weight's shape is no constant to who edits the weight.</summary>
    private void Evaluate(Node node, ShapeContext context)
    {
        if (node.Inputs.Count == 0 || node.Outputs.Count != 1 || context.Failure is not null
            || context.Types[0] is not TensorType { ElementType: DataType.Int64 or DataType.Int32, Shape: { } shape } || shape.Count is not <= MaxDataLength)
        {
            return;
        }

        var inputs = new Tensor?[node.Inputs.Count];
        for (var i = 0; i < inputs.Length; i++)
        {
            if (node.Inputs[i] is { } input && (inputs[i] = input.Constant ?? _constants.GetValueOrDefault(input)) is not
                { Count: <= MaxDataLength, Type: DataType.Int64 or DataType.Int32 })
            {
                return;
            }
        }

        if (NodeEvaluator.BuiltIn.TryEvaluate(node, OperatorSets[node.Domain], inputs) is [var output])
        {
            _constants[node.Outputs[0]] = output;
            if (context.Data[0].IsDefault)
            {
                context.SetData(0, ReadData(output));
            }
        }
    }

    private void Record(Node node, Value output, OnnxType? inferred, ImmutableArray<SymbolicInteger> data)
    {
        if (output.Name.Length == 0)
        {
            return;
        }

        var contradict = false;
        var declared = _useDeclared || output.IsGraphOutput ? output.Type : null;
        if (TypeMerge.Refine(inferred, declared, ref contradict) is { } merged)
        {
            Types[output] = merged;
        }
        else
        {
            Types.Remove(output);
        }

        if (contradict)
        {
            Diagnostics.Add(new(
                "BML2101", $"{node.DisplayName}: output '{output.Name}' is declared {declared}, but the operator yields {inferred}; correct the declaration or the node.",
                Location()));
        }

        if (data.IsDefault)
        {
            _data.Remove(output);
        }
        else
        {
            _data[output] = data;
        }
    }

    /// <summary>Infers a function's body for one call, with the call's input types.</summary>
    private void InferCall(ShapeContext context, Function function)
    {
        if (_depth >= MaxCallDepth)
        {
            context.Fail($"functions call each other more than {MaxCallDepth} deep");
            return;
        }

        var body = new TypeInferrer(_model, _rules, useDeclared: false, function.OperatorSets, context.Node, this);
        for (var i = 0; i < function.Body.Inputs.Count; i++)
        {
            if (context.TypeOf(i) is { } type)
            {
                body.Types[function.Body.Inputs[i]] = type;
            }

            if (context.DataOf(i) is { IsDefault: false } data)
            {
                body._data[function.Body.Inputs[i]] = data;
            }
        }

        body.InferGraph(function.Body);
        for (var i = 0; i < function.Body.Outputs.Count; i++)
        {
            context.Set(i, body.TypeOf(function.Body.Outputs[i]));
            context.SetData(i, body.DataOf(function.Body.Outputs[i]));
        }
    }

    private Function? FunctionOf(Node node)
    {
        foreach (var function in _model.Functions)
        {
            if (function.Name == node.OpType && function.Domain == node.Domain && function.Overload == node.Overload)
            {
                return function;
            }
        }

        return null;
    }

    private SourceLocation? Location() => _model.Path is { } path ? new SourceLocation(path) : null;

    private static ImmutableArray<SymbolicInteger> ReadData(Tensor tensor)
    {
        if (tensor.Rank > 1 || tensor.Count > MaxDataLength)
        {
            return default;
        }

        return tensor.Type switch
        {
            DataType.Int64 => [.. tensor.ToArray<long>().Select(v => new SymbolicInteger(v))],
            DataType.Int32 => [.. tensor.ToArray<int>().Select(v => new SymbolicInteger(v))],
            DataType.Bool => [.. tensor.ToArray<bool>().Select(v => new SymbolicInteger(v ? 1 : 0))],
            _ => default,
        };
    }
}
