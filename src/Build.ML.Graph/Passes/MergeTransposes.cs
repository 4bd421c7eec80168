using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>Lets two Transpose nodes in a row be one: y = x.perm(p).perm(q) is x.perm(p[q]); and two Reshape nodes in a row the second.</summary>
[GraphPass("merge-transposes", Order = 220)]
public sealed class MergeTransposes : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var merged = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                if (node.Is("Transpose") && node.Input(0)?.Producer is { } first && first.Is("Transpose") && first.Graph == graph
                    && node.Ints("perm") is { IsDefault: false } q && first.Ints("perm") is { IsDefault: false } p && p.Length == q.Length)
                {
                    node.SetAttribute(NodeAttribute.Ints("perm", [.. q.Select(i => p[(int)i])]));
                    node.SetInput(0, first.Input(0));
                    RemoveIfDead(first);
                    merged++;
                }
                else if (node.Is("Reshape") && node.Input(0)?.Producer is { } before && before.Graph == graph
                    && (before.Is("Reshape") || before.Is("Flatten") || before.Is("Squeeze") || before.Is("Unsqueeze"))
                    && node.Input(1).Integers() is { } sizes && !sizes.Contains(0))
                {
                    // Without 0 (copy a dimension) the target does not depend on the shape in between.
                    node.SetInput(0, before.Input(0));
                    RemoveIfDead(before);
                    merged++;
                }
            }
        }

        return merged;
    }

    private static void RemoveIfDead(Node node)
    {
        if (node.Outputs.All(o => o.IsUnused))
        {
            node.Graph.Remove(node);
        }
    }
}
