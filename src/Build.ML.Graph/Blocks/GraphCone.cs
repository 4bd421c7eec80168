using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Blocks;

/// <summary>Which nodes of a main graph depend on which. Sizes do not count as dependence: what only reads a value's shape is not computed from it.</summary>
internal sealed class GraphCone
{
    private readonly Node[] _nodes;
    private readonly Dictionary<Node, int> _positions;

    public GraphCone(OnnxGraph graph)
    {
        _nodes = [.. graph.Nodes];
        _positions = new(_nodes.Length);
        for (var i = 0; i < _nodes.Length; i++)
        {
            _positions.Add(_nodes[i], i);
        }
    }

    /// <summary>All nodes in order of execution.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>Where a value is made; −1 for inputs and initializers.</summary>
    public int PositionOf(Value value) => value.Producer is { } node && _positions.TryGetValue(node, out var position) ? position : -1;

    /// <summary>Where a node is.</summary>
    public int PositionOf(Node node) => _positions[node];

    /// <summary>The nodes on paths between two values, in order; empty where there is no path.</summary>
    public List<Node> Between(Value from, Value to)
    {
        var end = PositionOf(to);
        var start = PositionOf(from) + 1;
        if (end < start)
        {
            return [];
        }

        var reached = new HashSet<Value> { from };
        var after = new HashSet<Node>();
        for (var i = start; i <= end; i++)
        {
            if (!IsShape(_nodes[i]) && ReadsAny(_nodes[i], reached))
            {
                after.Add(_nodes[i]);
                AddOutputs(_nodes[i], reached);
            }
        }

        var found = new List<Node>();
        if (!reached.Contains(to))
        {
            return found;
        }

        var needed = new HashSet<Value> { to };
        for (var i = end; i >= start; i--)
        {
            var node = _nodes[i];
            if (after.Contains(node) && node.Outputs.Any(needed.Contains))
            {
                found.Add(node);
                needed.UnionWith(node.Reads());
            }
        }

        found.Reverse();
        return found;
    }

    /// <summary>Values that depend on what these nodes give, sizes included, not counting what goes through <paramref name="exit"/>; with the nodes that make them.</summary>
    public (HashSet<Node> Nodes, HashSet<Value> Values) After(IReadOnlyCollection<Node> nodes, Value exit)
    {
        var own = nodes.ToHashSet();
        var (side, values) = (new HashSet<Node>(), new HashSet<Value>());
        for (var i = nodes.Min(n => _positions[n]); i < _nodes.Length; i++)
        {
            var node = _nodes[i];
            if (own.Contains(node))
            {
                AddOutputs(node, values);
            }
            else if (ReadsAny(node, values))
            {
                side.Add(node);
                AddOutputs(node, values);
            }

            values.Remove(exit);
        }

        return (side, values);
    }

    /// <summary>Whether a value depends on another, sizes included.</summary>
    public bool DependsOn(Value value, Value on)
    {
        var reached = new HashSet<Value> { on };
        for (var i = PositionOf(on) + 1; i <= PositionOf(value); i++)
        {
            if (ReadsAny(_nodes[i], reached))
            {
                AddOutputs(_nodes[i], reached);
            }
        }

        return reached.Contains(value);
    }

    /// <summary>The nodes that nothing needs once these are gone, these included.</summary>
    /// <param name="nodes">What goes.</param>
    /// <param name="needed">A value that is needed nevertheless.</param>
    public HashSet<Node> DeadWithout(IEnumerable<Node> nodes, Value needed)
    {
        var dead = nodes.ToHashSet();
        for (var i = _nodes.Length - 1; i >= 0; i--)
        {
            var node = _nodes[i];
            if (!dead.Contains(node) && node.Outputs.All(o => o != needed && !o.IsGraphOutput && o.Uses.All(u => dead.Contains(u.Node)))
                && node.Outputs.Any(o => o.Uses.Count > 0))
            {
                dead.Add(node);
            }
        }

        return dead;
    }

    private static bool IsShape(Node node) => node.Is("Shape") || node.Is("Size");

    private static bool ReadsAny(Node node, HashSet<Value> values)
    {
        foreach (var value in node.Reads())
        {
            if (values.Contains(value))
            {
                return true;
            }
        }

        return false;
    }

    private static void AddOutputs(Node node, HashSet<Value> values)
    {
        foreach (var output in node.Outputs)
        {
            values.Add(output);
        }
    }
}
