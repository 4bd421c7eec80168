using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>Which graphs and nodes passes visit.</summary>
static class GraphWalk
{
    /// <summary>The main graph and all subgraphs, innermost first.</summary>
    public static IEnumerable<OnnxGraph> Graphs(this Model model) => WithSubgraphs(model.Graph);

    /// <summary>The graph and all subgraphs in it, innermost first.</summary>
    public static IEnumerable<OnnxGraph> WithSubgraphs(OnnxGraph graph)
    {
        foreach (var node in graph.Nodes)
        {
            foreach (var inner in node.Subgraphs.SelectMany(WithSubgraphs))
            {
                yield return inner;
            }
        }

        yield return graph;
    }

    /// <summary>The only node that reads the value, or null when several do, a graph returns it, or a subgraph reads it.</summary>
    public static Node? OnlyReader(this Value value) =>
        !value.IsGraphOutput && value.Uses is [var use] && use.Node.Graph == value.Graph ? use.Node : null;

    /// <summary>The only element of a constant float input, or null.</summary>
    public static float? Scalar(this Value? value)
    {
        if (value?.Constant is not { Count: 1 } tensor)
        {
            return null;
        }

        return tensor.Type switch
        {
            DataType.Float => tensor.ToArray<float>()[0],
            DataType.Double => (float)tensor.ToArray<double>()[0],
            DataType.Float16 => (float)tensor.ToArray<Half>()[0],
            DataType.Int64 => tensor.ToArray<long>()[0],
            DataType.Int32 => tensor.ToArray<int>()[0],
            _ => null,
        };
    }

    /// <summary>Whether the value is the constant false.</summary>
    public static bool IsFalse(this Value? value) => value?.Constant is { Type: DataType.Bool, Count: 1 } tensor && !tensor.ToArray<bool>()[0];

    /// <summary>The integers of a constant int64 or int32 input, or null.</summary>
    public static long[]? Integers(this Value? value) => value?.Constant switch
    {
        { Type: DataType.Int64 } tensor => tensor.ToArray<long>(),
        { Type: DataType.Int32 } tensor => Array.ConvertAll(tensor.ToArray<int>(), v => (long)v),
        _ => null,
    };

    /// <summary>
    /// Lets all readers of <paramref name="old"/> read <paramref name="replacement"/> and removes the node that made it, if that is possible without
    /// leaving an Identity node behind.
    /// </summary>
    public static bool TryBypass(this Node node, Value old, Value replacement)
    {
        if (old.IsGraphOutput && (replacement.Graph != old.Graph || replacement.Producer is null || replacement.IsGraphOutput
            || old.OutputOf.Any(g => g != old.Graph)))
        {
            return false;
        }

        old.Graph.Replace(old, replacement);
        node.Graph.Remove(node);
        return true;
    }
}
