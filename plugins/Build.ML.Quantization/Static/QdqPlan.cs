using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static;

/// <summary>A node that will be quantized.</summary>
/// <param name="Node">The node.</param>
/// <param name="Form">How.</param>
/// <param name="WeightOnly">Whether activations stay real numbers and only the weight is stored as integers.</param>
/// <param name="Result">The value whose range is the output's: the node's output, or that of a ReLU or Clip that follows and becomes part of rounding.</param>
internal sealed record QdqNode(Node Node, QdqForm Form, bool WeightOnly, Value Result);

/// <summary>What is done to layers that cost too much accuracy.</summary>
internal enum LayerTreatment
{
    /// <summary>Integers throughout.</summary>
    Quantize,

    /// <summary>Integer weight, real activations.</summary>
    WeightOnly,

    /// <summary>Left as it is.</summary>
    Leave,
}

/// <summary>
/// Which nodes of a model become integer and which activations are rounded. Layers with weights begin; operators without weights follow where all their inputs come as
/// integers and somebody takes their output as integers, since only then does an integer kernel save anything.
/// </summary>
internal sealed class QdqPlan
{
    private readonly Dictionary<Node, QdqNode> _nodes = [];
    private readonly Dictionary<Value, QdqNode> _resultOf = [];

    private QdqPlan()
    {
    }

    /// <summary>Quantized nodes in the order of execution.</summary>
    public IReadOnlyCollection<QdqNode> Nodes => _nodes.Values;

    /// <summary>Layers with weights that stay as they are, and why.</summary>
    public List<(Node Node, string Reason)> Left { get; } = [];

    /// <summary>Plans a model.</summary>
    /// <param name="model">The model, with constants where weights are.</param>
    /// <param name="selection">The layers the user wants.</param>
    /// <param name="treatment">By ordinal of the node in the main graph, for layers with weights that are not treated like the others.</param>
    /// <param name="others">What is done to the other layers.</param>
    public static QdqPlan Of(
        Model model, LayerSelection selection, IReadOnlyDictionary<int, LayerTreatment> treatment, LayerTreatment others = LayerTreatment.Quantize)
    {
        var plan = new QdqPlan();
        var rules = QdqOperatorTable.All();
        var ordinal = 0;
        foreach (var node in model.Graph.Nodes)
        {
            var own = treatment.GetValueOrDefault(ordinal++, others);
            if (node.Domain.Length == 0 && rules.TryGetValue(node.OpType, out var rule))
            {
                plan.Consider(node, rule(node), selection, own);
            }
        }

        foreach (var node in model.AllNodes.Where(n => n.Graph != model.Graph && n.Domain.Length == 0 && IsLayer(n)))
        {
            plan.ConsiderInSubgraph(node, rules[node.OpType](node), selection, others);
        }

        while (plan.DropFollowersNobodyReads())
        {
        }

        return plan;
    }

    /// <summary>The quantized node whose integers a value is, or null when the value comes as real numbers.</summary>
    public QdqNode? ProducerOf(Value value) => _resultOf.GetValueOrDefault(value);

    /// <summary>Whether a node reads a value as integers.</summary>
    public bool TakesIntegers(Use use) =>
        _nodes.TryGetValue(use.Node, out var node) && !node.WeightOnly && node.Form.Activations.Contains(use.Index);

    /// <summary>Whether a value is rounded: because a quantized node reads it, or because the kernel that yields it can only yield integers.</summary>
    public bool IsRounded(Value value) => value.Uses.Any(TakesIntegers) || (ProducerOf(value) is { } producer && producer.Form.Output != QdqOutput.QuantizedForReaders);

    /// <summary>The activations that are rounded: inputs of quantized nodes, then their results, each once, in order.</summary>
    public IEnumerable<Value> Activations()
    {
        var seen = new HashSet<Value>();
        foreach (var node in _nodes.Values.Where(n => !n.WeightOnly))
        {
            foreach (var input in node.Form.Activations)
            {
                if (seen.Add(node.Node.Inputs[input]!))
                {
                    yield return node.Node.Inputs[input]!;
                }
            }

            if (IsRounded(node.Result) && seen.Add(node.Result))
            {
                yield return node.Result;
            }
        }
    }

    /// <summary>
    /// The activations that are rounded with those of their readers that read them rounded: all where a kernel yields integers, else those that take integers. Asked before anything
    /// is written, as pairs change who reads what.
    /// </summary>
    public (Value Value, Use[] Readers)[] Pairs() =>
        [.. Activations().Select(v => (v, v.Uses.Where(u => ProducerOf(v) is not null || TakesIntegers(u)).ToArray()))];

    private void Consider(Node node, QdqChoice choice, LayerSelection selection, LayerTreatment treatment)
    {
        var reason = choice.Form is null ? choice.Reason : selection.ReasonToLeave(node);
        if (choice.Form is not { } form || reason is not null || treatment == LayerTreatment.Leave)
        {
            if (IsLayer(node) || treatment == LayerTreatment.Leave)
            {
                Left.Add((node, reason ?? ""));
            }

            return;
        }

        if (form.Weight is null && !(form.AnyActivation ? form.Activations.Any(ComesAsIntegers) : form.Activations.All(ComesAsIntegers)))
        {
            return;
        }

        var weightOnly = form.Kernel is null || treatment == LayerTreatment.WeightOnly;
        var quantized = new QdqNode(node, form, weightOnly, form.Output == QdqOutput.SameAsInput ? node.Outputs[0] : Folded(node.Outputs[0]));
        _nodes.Add(node, quantized);
        if (!weightOnly)
        {
            _resultOf.Add(quantized.Result, quantized);
        }

        bool ComesAsIntegers(int input) => node.Inputs[input] is { } value && _resultOf.ContainsKey(value);
    }

    private void ConsiderInSubgraph(Node node, QdqChoice choice, LayerSelection selection, LayerTreatment treatment)
    {
        var reason = choice.Form is null ? choice.Reason
            : selection.ReasonToLeave(node) ?? (treatment == LayerTreatment.WeightOnly ? null
                : $"it is in a subgraph of {node.Graph.ParentNode!.OpType}, whose activations calibration does not see");
        if (choice.Form is { } form && reason is null)
        {
            _nodes.Add(node, new QdqNode(node, form, WeightOnly: true, node.Outputs[0]));
        }
        else
        {
            Left.Add((node, reason!));
        }
    }

    // A ReLU, or a Clip from 0 or below, is what rounding does anyway: its range begins at the integer that stands for the least value.
    private static Value Folded(Value output) =>
        !output.IsGraphOutput && output.Uses is [{ Node: { } next, Index: 0 }] && next.Graph == output.Graph
            && (next.Is("Relu") || (next.Is("Clip") && next.Inputs.Skip(1).All(i => i is null || i.Constant is not null)))
            ? next.Outputs[0]
            : output;

    // Convolutions and products: what a report should name even when it stays.
    private static bool IsLayer(Node node) => node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul";

    private bool DropFollowersNobodyReads()
    {
        var dropped = _nodes.Values.Where(n => n.Form.Weight is null && !n.Result.Uses.Any(TakesIntegers)).ToArray();
        foreach (var node in dropped)
        {
            Drop(node);
        }

        return dropped.Length > 0;
    }

    // Followers of a dropped node stay: its readers round its output themselves.
    private void Drop(QdqNode node)
    {
        _nodes.Remove(node.Node);
        _resultOf.Remove(node.Result);
    }
}
