using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>
/// The gradient of a node: given dL/dy, the nodes that compute dL/dx. May be null for an input that needs none (<see cref="Forward.Needs"/>) or that has none, such as indices.
/// A gradient may have the sizes of the output where the input was broadcast: it is summed to the input's sizes afterwards.
/// </summary>
/// <param name="node">The forward node: its inputs, outputs, attributes.</param>
/// <param name="gradient">dL/d(output 0); zeros when only other outputs have a gradient (<see cref="Forward.Gradient"/>).</param>
/// <param name="op">Emits nodes.</param>
/// <returns>One gradient for each input, in order; missing ones at the end count as null.</returns>
public delegate Value?[] GradientRule(Forward node, Value gradient, GraphOps op);

/// <summary>
/// The form a forward node takes in training, such as batch statistics in the place of running ones or a kernel that leaves what the gradient needs. The nodes that it emits are
/// differentiated by their own rules.
/// </summary>
/// <param name="node">The node; <see cref="Forward.Needs"/> tells which inputs depend on trainable weights.</param>
/// <param name="op">Emits nodes in its place.</param>
/// <returns>What replaces the node's outputs, null for those that nothing reads; or null to leave the node as it is.</returns>
public delegate Value?[]? TrainingForm(Forward node, GraphOps op);

/// <summary>
/// The gradients of one family of operators. A sealed class with <see cref="GradientsAttribute"/> is all it takes to add one; its constructor names the rules. Where an operator's
/// definition changed with its version, the rule serves version 13 and later of it: models are upgraded to operator set 21 before they are differentiated.
/// </summary>
public abstract class GradientTable
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    protected const string Microsoft = GraphOps.Microsoft;

    private readonly Dictionary<(string Domain, string OpType), GradientRule> _rules = [];
    private readonly Dictionary<(string Domain, string OpType), TrainingForm> _forms = [];

    internal IReadOnlyDictionary<(string Domain, string OpType), GradientRule> Rules => _rules;

    internal IReadOnlyDictionary<(string Domain, string OpType), TrainingForm> Forms => _forms;

    /// <summary>Sets the gradient of an operator.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="rule">Its gradient.</param>
    /// <param name="domain">Operator set domain; ONNX's own by default.</param>
    protected void Rule(string opType, GradientRule rule, string domain = "") => _rules.Add((domain, opType), rule);

    /// <summary>Sets the gradient of several operators.</summary>
    /// <param name="opTypes">Operators of ONNX's own domain.</param>
    /// <param name="rule">Their gradient.</param>
    protected void Rule(IEnumerable<string> opTypes, GradientRule rule)
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule);
        }
    }

    /// <summary>Says that an operator's gradient is zero wherever it exists, as of rounding.</summary>
    /// <param name="opTypes">Operators of ONNX's own domain.</param>
    protected void Zero(params IEnumerable<string> opTypes) => Rule(opTypes, (_, _, _) => []);

    /// <summary>Sets the form that an operator takes in training.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="form">Its form.</param>
    /// <param name="domain">Operator set domain; ONNX's own by default.</param>
    protected void Form(string opType, TrainingForm form, string domain = "") => _forms.Add((domain, opType), form);
}
