using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Coupling;

/// <summary>Walks a graph once in order and ties layouts by the operators' rules.</summary>
sealed class CouplingAnalysis
{
    private readonly CouplingRuleSet _rules;
    private readonly ShapeInferenceResult _shapes;
    private readonly Dictionary<Value, DimensionLayout[]> _layouts = [];
    private readonly Dictionary<Value, ConstantUse> _shared = [];
    private readonly Dictionary<Use, ConstantUse> _uses = [];
    private readonly Dictionary<Value, (ConstantUse Use, int[] Dimensions)> _derived = [];
    private readonly List<ConstantUse> _constants = [];
    private readonly List<(DimensionLayout Layout, AxisLock Lock)> _locks = [];
    private readonly List<(DimensionLayout Layout, AxisMark Mark, Node Node)> _marks = [];
    private readonly List<SizeEdit> _edits = [];
    private readonly List<SplitEdit> _splits = [];

    public CouplingAnalysis(Model model, CouplingRuleSet rules)
    {
        Model = model;
        _rules = rules;
        _shapes = ShapeInference.Infer(model);
    }

    public Model Model { get; }

    public LayoutUnifier Unifier { get; } = new();

    public ChannelCoupling Run()
    {
        foreach (var input in Model.Graph.Inputs)
        {
            if (ShapeOf(input) is { } shape)
            {
                var @lock = new AxisLock(null, input.Initializer is null
                    ? $"'{input.Name}' is an input of the model" : $"'{input.Name}' is an input of the model with a default; make it a constant");
                var layouts = _layouts[input] = [.. shape.Dimensions.Select(Unifier.Fresh)];
                Array.ForEach(layouts, l => Lock(l, @lock));
            }
        }

        foreach (var node in Model.Graph.Nodes)
        {
            Visit(node);
        }

        foreach (var output in Model.Graph.Outputs)
        {
            Array.ForEach(LayoutsOf(output) ?? [], l => Lock(l, new AxisLock(null, $"'{output.Name}' is an output of the model")));
        }

        return new ChannelCoupling(Model, _layouts, new GraphEdits(_constants, _edits, _splits, _shapes.Constants, _shapes.Types), new AxisCollector(_constants, _locks, _marks).Collect(), _marks);
    }

    public bool IsConstant(Value value) => value.Constant is not null || _derived.ContainsKey(value);

    public Shape? ShapeOf(Value value) => value.Constant is { } constant ? constant.Shape
        : (_shapes.Types.GetValueOrDefault(value) as TensorType)?.Shape ?? value.Shape;

    public ImmutableArray<SymbolicInteger> DataOf(Value value) => _shapes.Data.TryGetValue(value, out var data) ? data
        : value.Constant is { Rank: <= 1, Count: <= 64 } constant ? constant.Type switch
        {
            DataType.Int64 => [.. constant.ToArray<long>().Select(v => new SymbolicInteger(v))],
            DataType.Int32 => [.. constant.ToArray<int>().Select(v => new SymbolicInteger(v))],
            _ => default,
        }
        : default;

    public DimensionLayout[]? LayoutsOf(Node node, int input) =>
        node.Input(input) is not { Name.Length: > 0 } value ? null
        : value.Constant is not null ? UseOf(value, new Use(node, input)).Layouts
        : _layouts.GetValueOrDefault(value);

    public void Unify(Node node, DimensionLayout left, DimensionLayout right)
    {
        if (LayoutUnifier.IsPermutation(left, right))
        {
            Lock(left, new AxisLock(node, "joins it with a rotated copy of itself, as a rotary embedding does"));
        }
        else if (!Unifier.Unify(left, right))
        {
            var @lock = new AxisLock(node, $"ties '{left}' to '{right}', which have no common parts");
            Lock(left, @lock);
            Lock(right, @lock);
        }
    }

    public void Lock(DimensionLayout layout, AxisLock @lock) => _locks.Add((layout, @lock));

    public void Mark(DimensionLayout layout, AxisMark mark, Node node) => _marks.Add((layout, mark, node));

    public void Add(SizeEdit edit) => _edits.Add(edit);

    public void Add(SplitEdit edit) => _splits.Add(edit);

    public void SetRole(Node node, int input, int dimension, AxisRole role)
    {
        if (node.Input(input) is not { } value)
        {
            return;
        }

        if (value.Constant is not null)
        {
            Set(UseOf(value, new Use(node, input)), dimension);
        }
        else if (_derived.TryGetValue(value, out var derived) && derived.Dimensions[dimension] >= 0)
        {
            Set(derived.Use, derived.Dimensions[dimension]);
        }

        void Set(ConstantUse use, int at)
        {
            if (use.Constant.Constant!.Type is not (DataType.Int64 or DataType.Int32 or DataType.Bool or DataType.String)) // sizes and indices are no parameters
            {
                use.Roles[at] ??= (role, node);
            }
        }
    }

    private DimensionLayout[]? LayoutsOf(Value value) => _shared.TryGetValue(value, out var use) ? use.Layouts : _layouts.GetValueOrDefault(value);

    private ConstantUse UseOf(Value value, Use use)
    {
        if (_uses.TryGetValue(use, out var known))
        {
            return known;
        }

        var constant = value.Constant!;
        var isWeight = constant.Sizes.Count(s => s != 1) > 1;
        if (!isWeight || !_shared.TryGetValue(value, out var result))
        {
            result = new ConstantUse(value, [.. constant.Sizes.Select(s => Unifier.Fresh(s))]);
            _constants.Add(result);
            _shared.TryAdd(value, result);
        }

        result.Readers.Add(use);
        return _uses[use] = result;
    }

    private void Visit(Node node)
    {
        var context = new CouplingContext(this, node);
        string? failure = null;
        if (node.OpType == "Constant" && node.Domain.Length == 0)
        {
            return;
        }

        if (node.Subgraphs.Any())
        {
            failure = "its subgraphs are not followed";
        }
        else if (_rules.Find(node.Domain, node.OpType) is { } rule)
        {
            try
            {
                rule(context);
                failure = Contradiction(context);
            }
            catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or OverflowException or DivideByZeroException)
            {
                // A rule goes on as long as it can follow the node.
                failure = e.Message;
            }
        }
        else
        {
            failure = "no coupling rule for this operator";
        }

        if (failure is not null)
        {
            LockAll(node, failure);
        }

        for (var i = 0; i < node.Outputs.Count; i++)
        {
            Record(node, i, failure is null ? context.Outputs[i] : null, failure ?? "it computes this dimension");
        }

        Derive(node, failure is null);
        for (var i = 0; i < node.Inputs.Count; i++)
        {
            if (!context.IsFollowed(i) && node.Inputs[i] is { Constant: null } input)
            {
                Array.ForEach(_layouts.GetValueOrDefault(input) ?? [], l => Lock(l, new AxisLock(node, $"takes '{input.Name}' as it is")));
            }
        }
    }

    private void LockAll(Node node, string failure)
    {
        var @lock = new AxisLock(node, failure);
        for (var i = 0; i < node.Inputs.Count; i++)
        {
            Array.ForEach(LayoutsOf(node, i) ?? [], l => Lock(l, @lock));
        }

        foreach (var value in node.Subgraphs.SelectMany(g => g.OuterReads()))
        {
            Array.ForEach(LayoutsOf(value) ?? [], l => Lock(l, @lock));
        }
    }

    private void Record(Node node, int index, DimensionLayout[]? layouts, string failure)
    {
        var output = node.Outputs[index];
        if (output.Name.Length == 0)
        {
            return;
        }

        if (layouts is null && ShapeOf(output) is { } shape)
        {
            layouts = [.. shape.Dimensions.Select(Unifier.Fresh)];
            Array.ForEach(layouts, l => Lock(l, new AxisLock(node, failure)));
        }

        if (layouts is not null)
        {
            _layouts[output] = layouts;
        }
    }

    /// <summary>A rule's layouts must be of the inferred shape, or the rule is wrong about this node.</summary>
    private string? Contradiction(CouplingContext context)
    {
        for (var i = 0; i < context.Outputs.Count; i++)
        {
            if (context.Outputs[i] is { } layouts && ShapeOf(context.Node.Outputs[i]) is { } shape
                && (shape.Rank != layouts.Length || layouts.Where((l, k) => l.IsKnown && shape[k].Size is { } size && size != l.Size).Any()))
            {
                Array.ForEach(layouts, l => Lock(l, new AxisLock(context.Node, $"its output {shape} is followed as [{string.Join(", ", layouts.Select(l => l.Size))}]")));
                return $"its output {shape} is followed as [{string.Join(", ", layouts.Select(l => l.Size))}]";
            }
        }

        return null;
    }

    /// <summary>A weight behind Transpose, Cast and the like is still that weight to the layer that reads it.</summary>
    private void Derive(Node node, bool isFollowed)
    {
        if (!isFollowed || node.Outputs.Count != 1 || node.Input(0) is not { } input
            || node is not { Domain: "", OpType: "Transpose" or "Cast" or "Identity" or "Unsqueeze" or "Squeeze" or "Reshape" or "QuantizeLinear" or "DequantizeLinear" })
        {
            return;
        }

        var (use, dimensions) = input.Constant is not null && _uses.TryGetValue(new Use(node, 0), out var own)
            ? (own, [.. Enumerable.Range(0, own.Layouts.Length)])
            : _derived.TryGetValue(input, out var known) ? known : (null, []);
        if (use is not null && _layouts.TryGetValue(node.Outputs[0], out var layouts))
        {
            // By the layouts themselves: an output dimension that is an input dimension.
            _derived[node.Outputs[0]] = (use, [.. layouts.Select(l => Array.FindIndex(use.Layouts, own => !own.IsUnit && own.Resolve() == l.Resolve()))]);
        }
    }
}
