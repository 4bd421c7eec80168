using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>Groups by the place of their first nodes in the graph: the order in which a streamed run comes to them.</summary>
internal static class GroupOrder
{
    /// <summary>The groups of a graph, each with its first node.</summary>
    public static ImmutableArray<(LayerGroup Group, Node First)> Of(OnnxGraph graph, IEnumerable<LayerGroup> groups)
    {
        var places = new Dictionary<Node, int>();
        foreach (var node in graph.Nodes)
        {
            places.Add(node, places.Count);
        }

        return
        [
            .. groups.Select(g => (g, g.Layers.Select(l => l.Node).Where(places.ContainsKey).MinBy(n => places[n])))
                .Where(p => p.Item2 is not null).Select(p => (p.g, p.Item2!)).OrderBy(p => places[p.Item2]),
        ];
    }
}
