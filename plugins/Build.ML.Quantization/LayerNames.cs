using Build.ML.Graph.Ir;

namespace Build.ML.Quantization;

/// <summary>How reports name a layer.</summary>
internal static class LayerNames
{
    /// <summary>The node's name, or its first output's where it has none.</summary>
    public static string Of(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs[0].Name;

    /// <summary>
    /// Lets <paramref name="result"/> stand for the node's output and removes the node. What yields the result takes over the names of node and output, by which reports find the layer again.
    /// </summary>
    public static void Substitute(Node node, Value result)
    {
        var (graph, name, output) = (node.Graph, node.Name, node.Outputs[0].Name);
        graph.Replace(node.Outputs[0], result);
        graph.Remove(node);
        if (result.Graph == graph && result.Name != output && graph.Find(output) is null)
        {
            graph.Rename(result, output);
        }

        if (name.Length > 0 && result.Producer is { } producer)
        {
            producer.Name = name;
        }
    }

    /// <summary>Lets a graph return a value in the place and under the name of another, which gets a new name.</summary>
    public static void ReturnInstead(Value value, Value replacement)
    {
        var (graph, name) = (value.Graph, value.Name);
        replacement.Type = value.Type;
        graph.Rename(value, graph.UniqueName(name + "_real"));
        graph.Rename(replacement, name);
        for (var i = 0; i < graph.Outputs.Count; i++)
        {
            if (graph.Outputs[i] == value)
            {
                graph.SetOutput(i, replacement);
            }
        }
    }
}
