using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Validation;

/// <summary>
/// What a node reads is there: given before it in its graph, or by a graph around it before the node that holds the subgraph (static single
/// assignment and topological order of the IR specification).
/// </summary>
[ModelRule("scope")]
internal sealed class ScopeRule : IModelRule
{
    public void Check(Model model, ViolationList violations)
    {
        foreach (var root in model.Functions.Select(f => f.Body).Prepend(model.Graph))
        {
            CheckGraph(root, [], violations);
        }
    }

    private static void CheckGraph(OnnxGraph graph, HashSet<Value> given, ViolationList violations)
    {
        foreach (var value in graph.Inputs.Concat(graph.Initializers).Concat(graph.SparseInitializers.Select(s => s.Key)))
        {
            given.Add(value);
            if (value.Name.Length == 0)
            {
                violations.Error("BML2033", $"Graph '{graph.Name}' has an input or initializer without a name; name it.");
            }

            CheckShadowing(graph, value, violations);
        }

        var cyclic = new HashSet<Node>();
        if (!TopologicalOrder.IsSorted(graph))
        {
            cyclic.UnionWith(TopologicalOrder.NodesInCycles(graph));
            foreach (var node in cyclic)
            {
                violations.Error("BML2015", $"In graph '{graph.Name}', {node.DisplayName} is part of a cycle; a graph must have none.");
            }
        }

        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            for (var i = 0; i < node.Inputs.Count; i++)
            {
                if (node.Inputs[i] is { } input && !given.Contains(input) && !cyclic.Contains(node))
                {
                    ReportNotGiven(graph, $"{node.DisplayName} reads '{input.Name}' (input {i})", input, violations);
                }
            }

            foreach (var subgraph in node.Subgraphs)
            {
                CheckSubgraph(subgraph, node, given, violations);
            }

            foreach (var output in node.Outputs)
            {
                given.Add(output);
                CheckShadowing(graph, output, violations);
            }
        }

        foreach (var output in graph.Outputs)
        {
            if (!given.Contains(output))
            {
                ReportNotGiven(graph, $"the graph returns '{output.Name}'", output, violations);
            }
        }
    }

    private static void CheckSubgraph(OnnxGraph subgraph, Node holder, HashSet<Value> given, ViolationList violations)
    {
        if (subgraph.ParentNode != holder)
        {
            violations.Error("BML2034", $"Graph '{subgraph.Name}' is held by {holder.DisplayName}, and by another node; copy it.");
            return;
        }

        CheckGraph(subgraph, given, violations);

        // What the subgraph gives is not visible behind it.
        given.ExceptWith(subgraph.Values);
    }

    private static void ReportNotGiven(OnnxGraph graph, string reader, Value value, ViolationList violations)
    {
        if (value.Producer is { } producer && producer.Graph.FindHere(value.Name) == value)
        {
            violations.Error(
                "BML2032",
                $"In graph '{graph.Name}', {reader}, which {producer.DisplayName} gives later or out of its sight; "
                + "call SortTopologically, or move the node.");
        }
        else
        {
            violations.Error("BML2014", $"In graph '{graph.Name}', {reader}, which no input, initializer or node gives; add what is missing.");
        }
    }

    private static void CheckShadowing(OnnxGraph graph, Value value, ViolationList violations)
    {
        if (value.Name.Length > 0 && graph.ParentNode?.Graph.Find(value.Name) is { } outer && outer != value)
        {
            violations.Warning("BML2035", $"In graph '{graph.Name}', '{value.Name}' hides a value of a graph around it; rename one of them.");
        }
    }
}
