using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Shapes;

/// <summary>
/// Infers types node by node while a graph is being built, so that whoever emits a node knows the shape of what it yields at once. Values around the node must have their types:
/// from <see cref="ShapeInference.Run(Model, ShapeRuleSet?)"/>, or from here.
/// </summary>
/// <param name="model">The model that grows.</param>
/// <param name="rules">Default: <see cref="ShapeRuleSet.BuiltIn"/>.</param>
public sealed class GrowingShapes(Model model, ShapeRuleSet? rules = null)
{
    private readonly TypeInferrer _inferrer = new(model, rules ?? ShapeRuleSet.BuiltIn, useDeclared: true);

    /// <summary>Fills in <see cref="Value.Type"/> of the outputs of one node. An operator without a rule leaves them as declared.</summary>
    /// <param name="node">A node of the model's main graph.</param>
    /// <exception cref="DiagnosticException">BML2101, BML2102: the node contradicts its operator's definition.</exception>
    public void Infer(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        _inferrer.InferNode(node);
        if (_inferrer.Diagnostics.Count > 0)
        {
            throw new DiagnosticException([.. _inferrer.Diagnostics]);
        }

        foreach (var output in node.Outputs)
        {
            output.Type = _inferrer.TypeOf(output) ?? output.Type;
        }
    }
}
