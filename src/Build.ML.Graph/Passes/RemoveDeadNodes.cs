using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes;

/// <summary>Removes nodes that no output depends on, and local functions that nothing calls. All operators of ONNX are free of side effects.</summary>
[GraphPass("remove-dead-nodes", Order = 500)]
public sealed class RemoveDeadNodes : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var removed = Sweep(model.Graph);
        foreach (var function in model.Functions)
        {
            removed += Sweep(function.Body);
        }

        return removed + RemoveFunctions(model);
    }

    /// <summary>From the last node to the first, so that one sweep frees whole chains; a node's subgraphs only where the node stays.</summary>
    private static int Sweep(OnnxGraph graph)
    {
        var removed = 0;
        for (var node = graph.LastNode; node is not null;)
        {
            var previous = node.Previous;
            if (node.Outputs.All(o => o.IsUnused))
            {
                graph.Remove(node);
                removed++;
            }
            else
            {
                foreach (var inner in node.Subgraphs)
                {
                    removed += Sweep(inner);
                }
            }

            node = previous;
        }

        return removed;
    }

    private static int RemoveFunctions(Model model)
    {
        var called = new HashSet<(string, string, string)>();
        var pending = new Queue<OnnxGraph>([model.Graph]);
        while (pending.TryDequeue(out var graph))
        {
            foreach (var node in graph.AllNodes)
            {
                if (called.Add((node.Domain, node.OpType, node.Overload)))
                {
                    foreach (var function in model.Functions.Where(f => f.Domain == node.Domain && f.Name == node.OpType && f.Overload == node.Overload))
                    {
                        pending.Enqueue(function.Body);
                    }
                }
            }
        }

        var unused = model.Functions.Where(f => !called.Contains((f.Domain, f.Name, f.Overload))).ToArray();
        foreach (var function in unused)
        {
            model.Functions.Remove(function);
        }

        return unused.Length;
    }
}
