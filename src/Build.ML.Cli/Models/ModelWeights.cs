using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Cli.Models;

/// <summary>A weight with a name that is unique in its model.</summary>
internal readonly record struct NamedWeight(string Name, Tensor Tensor);

/// <summary>A node with a name that is unique in its model.</summary>
internal readonly record struct NamedNode(string Name, Node Node);

/// <summary>
/// The parts of a model by names that are unique in it: those inside a subgraph start with the node and the attribute that hold it, as in
/// <c>loop1.body/add</c>.
/// </summary>
internal static class ModelWeights
{
    /// <summary>The weights: initializers, and tensors of Constant nodes.</summary>
    public static IEnumerable<NamedWeight> Of(Model model) => Graphs(model.Graph, "").SelectMany(g => g.Graph.Initializers
        .Select(v => new NamedWeight(g.Prefix + v.Name, v.Initializer!))
        .Concat(g.Graph.Nodes.Where(n => n.Is("Constant")).Select(n => (Node: n, n.Attribute("value")?.Value as Tensor))
            .Where(c => c.Item2 is not null).Select(c => new NamedWeight(g.Prefix + c.Node.Outputs[0].Name, c.Item2!))));

    /// <summary>The nodes. A node without a name has its first output's; one whose name was there before gets its first output's added.</summary>
    public static IEnumerable<NamedNode> NodesOf(Model model)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (graph, prefix) in Graphs(model.Graph, ""))
        {
            foreach (var node in graph.Nodes)
            {
                var name = prefix + NameOf(node);
                yield return new(taken.Add(name) ? name : $"{name}:{(node.Outputs.Count > 0 ? node.Outputs[0].Name : "")}", node);
            }
        }
    }

    private static IEnumerable<(OnnxGraph Graph, string Prefix)> Graphs(OnnxGraph graph, string prefix)
    {
        yield return (graph, prefix);
        foreach (var node in graph.Nodes)
        {
            foreach (var attribute in node.Attributes)
            {
                for (var i = 0; i < attribute.Subgraphs.Length; i++)
                {
                    foreach (var inner in Graphs(attribute.Subgraphs[i], $"{prefix}{NameOf(node)}.{attribute.Name}{(i == 0 ? "" : $"[{i}]")}/"))
                    {
                        yield return inner;
                    }
                }
            }
        }
    }

    private static string NameOf(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs.Count > 0 ? node.Outputs[0].Name : node.OpType;
}
