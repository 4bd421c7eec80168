using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>One walk from the loss back: each node's rule turns the gradients of its outputs into those of its inputs, which add up where a value is read more than once.</summary>
internal sealed class BackwardPass(TrainingModelBuilder builder, OnnxGraph graph)
{
    private readonly Dictionary<Value, List<Value>> _parts = [];

    /// <summary>The gradients of all values that depend on a trainable weight and lead to the loss; inner ones too.</summary>
    public IReadOnlyDictionary<Value, Value> Run(Value loss)
    {
        var (op, rules) = (builder.Ops, builder.Options.Rules);
        var gradients = new Dictionary<Value, Value>();
        var errors = new List<Diagnostic>();
        var nodes = graph.Nodes.ToArray();
        var recomputation = Recomputation.Plan(builder, nodes, builder.Options.MemoryBudget);
        op.Scope = "backward/";
        _parts[loss] = [op.Reshape(op.Scalar(1), loss.Sizes().AsSpan())];
        for (var i = nodes.Length - 1; i >= 0; i--)
        {
            var node = nodes[i];
            if (!node.Outputs.Any(_parts.ContainsKey) || !node.Reads().Any(builder.Depends))
            {
                continue;
            }

            var ofOutputs = node.Outputs.Select(o => Take(o, gradients)).ToArray();
            if (ofOutputs.OfType<Value>().FirstOrDefault() is { } known)
            {
                recomputation?.Enter(node, known);
            }

            var last = graph.LastNode!;
            try
            {
                var rule = GradientFlow.RuleOf(node) ?? rules.FindRule(node.Domain, node.OpType) ?? throw new DiagnosticException(NoGradient(node, "here"));
                Propagate(node, rule, ofOutputs, op);
                for (var emitted = last.Next; emitted is not null && recomputation is not null; emitted = emitted.Next)
                {
                    recomputation.Redirect(emitted);
                }
            }
            catch (DiagnosticException e)
            {
                errors.AddRange(e.Diagnostics);
                PropagateNothing(node);
            }
        }

        op.Scope = "";
        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }

        foreach (var value in _parts.Keys.Where(v => v.Producer is null).ToArray())
        {
            Take(value, gradients);
        }

        return gradients;
    }

    private Value? Take(Value value, Dictionary<Value, Value> gradients)
    {
        if (!_parts.TryGetValue(value, out var parts) || parts.Count == 0)
        {
            return null;
        }

        return gradients[value] = builder.Ops.Sum(parts.ToArray());
    }

    private void Propagate(Node node, GradientRule rule, Value?[] ofOutputs, GraphOps op)
    {
        var first = ofOutputs[0] ?? op.Zeros(node.Outputs[0].Sizes().AsSpan());
        var ofInputs = rule(new Forward(builder, node, ofOutputs), first, op);
        for (var i = 0; i < ofInputs.Length && i < node.Inputs.Count; i++)
        {
            if (ofInputs[i] is not { } gradient || node.Inputs[i] is not { } input || !builder.Depends(input))
            {
                continue;
            }

            var sizes = input.Sizes();
            if (!StaticSizes.Broadcast(gradient.Sizes().AsSpan(), sizes.AsSpan()).AsSpan().SequenceEqual(gradient.Sizes().AsSpan()))
            {
                // Smaller than the input along an axis: the same gradient for all elements along it.
                gradient = op.Expand(gradient, StaticSizes.Broadcast(gradient.Sizes().AsSpan(), sizes.AsSpan()));
            }

            Parts(input).Add(op.SumTo(gradient, sizes.AsSpan()));
        }
    }

    // An operator without a gradient ends the walk; to report all of them, it goes on as if there were one.
    private void PropagateNothing(Node node)
    {
        foreach (var input in node.Reads())
        {
            if (builder.Depends(input))
            {
                Parts(input);
            }
        }
    }

    private List<Value> Parts(Value value) => _parts.TryGetValue(value, out var parts) ? parts : _parts[value] = [];

    internal static Diagnostic NoGradient(Node node, string why) => new(
        "BML8102",
        $"{node.DisplayName} has no gradient: the operator {(node.Domain.Length > 0 ? node.Domain + "." : "")}{node.OpType} is not differentiable {why}, and trainable weights come before it. "
        + "Train only weights behind it, or leave those before it frozen.");
}
