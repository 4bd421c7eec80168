using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Float16;

/// <summary>Stores float constants in 16 bits, with a Cast to float before all that reads them: all is computed as before.</summary>
internal static class CastWeights
{
    // A Cast node takes about this many bytes: smaller weights would grow.
    private const long LeastCount = 64;

    /// <summary>Replaces the constants of a graph and of all graphs in it.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="selection">Constants of which a reader is not selected stay float.</param>
    /// <param name="half">Makes the constant of 16 bits.</param>
    public static void Store(OnnxGraph graph, LayerSelection selection, Func<Value, Value> half)
    {
        foreach (var value in graph.Values.ToArray())
        {
            if (value.Constant is not { Type: DataType.Float, Count: >= LeastCount } || value.IsGraphOutput || value.IsUnused
                || value.Uses.Any(u => selection.ReasonToLeave(u.Node) is not null))
            {
                continue;
            }

            var cast = graph.Add("Cast", [half(value)], value.Name + "_float", [NodeAttribute.Int("to", (long)DataType.Float)], before: graph.FirstNode);
            value.ReplaceUsesWith(cast);
            HalfConstants.RemoveIfUnused(value);
        }

        StoreInner(graph, selection, half);
    }

    /// <summary>Replaces the constants of the graphs in a graph only.</summary>
    public static void StoreInner(OnnxGraph graph, LayerSelection selection, Func<Value, Value> half)
    {
        foreach (var inner in graph.Nodes.SelectMany(n => n.Subgraphs).ToArray())
        {
            Store(inner, selection, half);
        }
    }
}
