using System.Reflection;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation;

/// <summary>Computes nodes from constants, by the evaluators of a set of assemblies. Immutable.</summary>
public sealed class NodeEvaluator
{
    private static readonly Lazy<NodeEvaluator> LazyBuiltIn = new(() => new NodeEvaluator());
    private readonly Dictionary<(string Domain, string OpType), Evaluator> _evaluators = [];

    /// <summary>The evaluators of this assembly and others; where two cover one operator, the first counts.</summary>
    public NodeEvaluator(params IEnumerable<Assembly> others)
    {
        foreach (var entry in Catalog<EvaluatorTable>.Scan([typeof(NodeEvaluator).Assembly, .. others]))
        {
            foreach (var (key, evaluator) in entry.Create().Evaluators)
            {
                _evaluators.TryAdd(key, evaluator);
            }
        }
    }

    /// <summary>The evaluators of this assembly.</summary>
    public static NodeEvaluator BuiltIn => LazyBuiltIn.Value;

    /// <summary>Whether there is an evaluator for the node's operator.</summary>
    public bool Covers(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return _evaluators.ContainsKey((node.Domain, node.OpType));
    }

    /// <summary>The node's outputs, or null where its operator, types or attributes are not covered or do not fit.</summary>
    /// <param name="node">The node.</param>
    /// <param name="opset">Version of its operator set.</param>
    /// <param name="inputs">One per input; null for left-out ones.</param>
    public Tensor[]? TryEvaluate(Node node, long opset, IReadOnlyList<Tensor?> inputs)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (!_evaluators.TryGetValue((node.Domain, node.OpType), out var evaluator) || node.Attributes.Any(a => a.ReferenceName.Length > 0))
        {
            return null;
        }

        try
        {
            return evaluator(new EvaluationContext(node, opset, inputs)) is { } outputs && outputs.Length >= node.Outputs.Count
                ? outputs[..node.Outputs.Count] : null;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or OverflowException or IndexOutOfRangeException or DivideByZeroException)
        {
            // The node contradicts its operator. Folding must not decide what a runtime makes of that: the node stays, the runtime will say.
            return null;
        }
    }
}
