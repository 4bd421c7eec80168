namespace Build.ML.Graph.Ir;

/// <summary>The order ONNX asks for: each node after all that give what it, or a subgraph in it, reads.</summary>
internal static class TopologicalOrder
{
    /// <summary>Whether each node of the graph comes after its producers. Looks at the nodes of this graph and what their subgraphs read.</summary>
    public static bool IsSorted(OnnxGraph graph)
    {
        var seen = new HashSet<Node>();
        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            foreach (var producer in Producers(graph, node))
            {
                if (!seen.Contains(producer))
                {
                    return false;
                }
            }

            seen.Add(node);
        }

        return true;
    }

    /// <summary>The nodes in a valid order that keeps the present one as far as it can; fewer than there are when there are cycles.</summary>
    public static List<Node> Sort(OnnxGraph graph)
    {
        var waitsFor = new Dictionary<Node, int>(graph.NodeCount);
        var readers = new Dictionary<Node, List<Node>>();
        var position = new Dictionary<Node, int>(graph.NodeCount);
        var ready = new PriorityQueue<Node, int>();
        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            position.Add(node, position.Count);
            var producers = new HashSet<Node>(Producers(graph, node));
            waitsFor[node] = producers.Count;
            if (producers.Count == 0)
            {
                ready.Enqueue(node, position[node]);
            }

            foreach (var producer in producers)
            {
                if (!readers.TryGetValue(producer, out var list))
                {
                    readers.Add(producer, list = []);
                }

                list.Add(node);
            }
        }

        var order = new List<Node>(graph.NodeCount);
        while (ready.TryDequeue(out var node, out _))
        {
            order.Add(node);
            foreach (var reader in readers.GetValueOrDefault(node) ?? [])
            {
                if (--waitsFor[reader] == 0)
                {
                    ready.Enqueue(reader, position[reader]);
                }
            }
        }

        return order;
    }

    /// <summary>The nodes on cycles, or on a way from one cycle to another.</summary>
    public static IEnumerable<Node> NodesInCycles(OnnxGraph graph)
    {
        var placed = Sort(graph);
        if (placed.Count == graph.NodeCount)
        {
            return [];
        }

        // What is left without a place also holds what only depends on a cycle: take away, again and again, what nothing left reads.
        var left = new HashSet<Node>(graph.Nodes);
        left.ExceptWith(placed);
        var readers = left.ToDictionary(n => n, _ => 0);
        foreach (var node in left)
        {
            foreach (var producer in new HashSet<Node>(Producers(graph, node)))
            {
                if (left.Contains(producer))
                {
                    readers[producer]++;
                }
            }
        }

        var unread = new Queue<Node>(left.Where(n => readers[n] == 0));
        while (unread.TryDequeue(out var node))
        {
            left.Remove(node);
            foreach (var producer in new HashSet<Node>(Producers(graph, node)))
            {
                if (left.Contains(producer) && --readers[producer] == 0)
                {
                    unread.Enqueue(producer);
                }
            }
        }

        return graph.Nodes.Where(left.Contains);
    }

    private static IEnumerable<Node> Producers(OnnxGraph graph, Node node)
    {
        foreach (var input in node.Inputs)
        {
            if (input?.Producer is { } producer && producer.Graph == graph)
            {
                yield return producer;
            }
        }

        foreach (var subgraph in node.Subgraphs)
        {
            foreach (var value in subgraph.OuterReads())
            {
                if (value.Producer is { } producer && producer.Graph == graph)
                {
                    yield return producer;
                }
            }
        }
    }
}
