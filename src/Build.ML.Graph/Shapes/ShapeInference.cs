using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Shapes;

/// <summary>
/// Infers types and shapes of all values of a model by its operators' rules (<see cref="ShapeRuleTable"/>). Symbolic dimensions are carried along, and
/// shapes computed by the graph itself (Shape, Gather, Concat, … into Reshape) are followed. An operator without a rule leaves its outputs as declared.
/// </summary>
public static class ShapeInference
{
    /// <summary>Infers and fills in <see cref="Value.Type"/> of all values of the main graph and its subgraphs; where the file declared something else, the rule wins, but for graph outputs.</summary>
    /// <param name="model">Its types are refined in place.</param>
    /// <param name="rules">Default: <see cref="ShapeRuleSet.BuiltIn"/>.</param>
    public static ShapeInferenceResult Run(Model model, ShapeRuleSet? rules = null) => Run(model, rules, useDeclared: true);

    /// <summary>As <see cref="Run(Model, ShapeRuleSet?)"/>, but first forgets the types of values inside the graph, which an edit may have made stale.</summary>
    public static ShapeInferenceResult Refresh(Model model, ShapeRuleSet? rules = null) => Run(model, rules, useDeclared: false);

    /// <summary>Compares what the model declares with what its operators yield, without changing it.</summary>
    /// <returns>
    /// BML2101 for each value whose declared type or shape contradicts the rule's, BML2102 for each node whose inputs or attributes contradict its operator.
    /// </returns>
    public static IReadOnlyList<Diagnostic> Check(Model model, ShapeRuleSet? rules = null) => Infer(model, rules, useDeclared: true).Diagnostics;

    private static ShapeInferenceResult Run(Model model, ShapeRuleSet? rules, bool useDeclared)
    {
        var result = Infer(model, rules, useDeclared);
        foreach (var (value, type) in result.Types)
        {
            if (value.IsGraphOutput && value.Graph.ParentNode is null && value.Type is not null)
            {
                // A main graph's output is an interface: what its author declared stays, gaps are filled.
                var ignored = false;
                value.Type = TypeMerge.Refine(value.Type, type, ref ignored);
            }
            else
            {
                value.Type = type;
            }
        }

        if (!useDeclared)
        {
            ForgetUnknown(model.Graph, result.Types);
        }

        return result;
    }

    /// <summary>Infers without changing the model.</summary>
    /// <param name="model">Read only.</param>
    /// <param name="rules">Default: <see cref="ShapeRuleSet.BuiltIn"/>.</param>
    /// <param name="useDeclared">Whether types that the file declares for values inside the graph count, or only what the rules prove.</param>
    public static ShapeInferenceResult Infer(Model model, ShapeRuleSet? rules = null, bool useDeclared = true)
    {
        ArgumentNullException.ThrowIfNull(model);
        var inferrer = new TypeInferrer(model, rules ?? ShapeRuleSet.BuiltIn, useDeclared);
        inferrer.InferGraph(model.Graph);
        return new ShapeInferenceResult(inferrer.Types, inferrer.Data, inferrer.Constants, inferrer.Diagnostics, inferrer.OperatorsWithoutRule);
    }

    private static void ForgetUnknown(OnnxGraph graph, IReadOnlyDictionary<Value, OnnxType> types)
    {
        foreach (var node in graph.AllNodes)
        {
            foreach (var output in node.Outputs)
            {
                if (!output.IsGraphOutput && !types.ContainsKey(output))
                {
                    output.Type = null;
                }
            }
        }
    }
}
