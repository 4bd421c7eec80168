using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Ir;

/// <content>Nodes: their order, adding, replacing and removing them.</content>
public sealed partial class OnnxGraph
{
    /// <summary>First node, or null.</summary>
    public Node? FirstNode { get; private set; }

    /// <summary>Last node, or null.</summary>
    public Node? LastNode { get; private set; }

    /// <summary>Number of nodes, those of subgraphs not counted.</summary>
    public int NodeCount { get; private set; }

    /// <summary>
    /// The nodes in order, those of subgraphs not included. The list may be edited while it is walked: the node at hand may be removed,
    /// and nodes added after it are visited.
    /// </summary>
    public IEnumerable<Node> Nodes
    {
        get
        {
            for (var node = FirstNode; node is not null;)
            {
                var next = node.Next;
                yield return node;
                node = node.Graph == this && (node.Next is not null || LastNode == node) ? node.Next : next;
            }
        }
    }

    /// <summary>All nodes of this graph and, depth first, of the subgraphs in them.</summary>
    public IEnumerable<Node> AllNodes
    {
        get
        {
            foreach (var node in Nodes)
            {
                yield return node;
                foreach (var inner in node.Subgraphs.SelectMany(g => g.AllNodes))
                {
                    yield return inner;
                }
            }
        }
    }

    /// <summary>Creates a node, not yet placed; use the <c>Add</c> or <c>Insert</c> overloads in most cases.</summary>
    public Node CreateNode(string opType, string domain = "") => new(this, opType, domain);

    /// <summary>Appends a node with one output and returns that output.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="inputs">Inputs, null for left-out ones.</param>
    /// <param name="outputName">Made unique.</param>
    /// <param name="attributes">Attributes.</param>
    /// <param name="domain">Operator set domain.</param>
    /// <param name="before">The node to insert before, or null to append.</param>
    public Value Add(
        string opType, ReadOnlySpan<Value?> inputs, string outputName, ReadOnlySpan<NodeAttribute> attributes = default,
        string domain = "", Node? before = null)
    {
        var node = CreateNode(opType, domain);
        node.SetInputs(inputs);
        foreach (var attribute in attributes)
        {
            node.SetAttribute(attribute);
        }

        var output = node.AddOutput(UniqueName(outputName));
        node.Name = output.Name;
        InsertBefore(before, node);
        return output;
    }

    /// <summary>Places a node before another, or last when <paramref name="before"/> is null.</summary>
    public void InsertBefore(Node? before, Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        node.Next = before;
        node.Previous = before is null ? LastNode : before.Previous;
        if (node.Previous is null)
        {
            FirstNode = node;
        }
        else
        {
            node.Previous.Next = node;
        }

        if (before is null)
        {
            LastNode = node;
        }
        else
        {
            before.Previous = node;
        }

        NodeCount++;
    }

    /// <summary>Takes a node out of the order without touching its inputs and outputs, to place it elsewhere.</summary>
    public void Detach(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (node.Previous is null)
        {
            FirstNode = node.Next;
        }
        else
        {
            node.Previous.Next = node.Next;
        }

        if (node.Next is null)
        {
            LastNode = node.Previous;
        }
        else
        {
            node.Next.Previous = node.Previous;
        }

        node.Next = node.Previous = null;
        NodeCount--;
    }

    /// <summary>Removes a node whose outputs nothing uses; its inputs, and what its subgraphs read, lose that use.</summary>
    /// <exception cref="InvalidOperationException">An output is still used.</exception>
    public void Remove(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        foreach (var output in node.Outputs)
        {
            if (!output.IsUnused)
            {
                throw new InvalidOperationException($"{node.DisplayName} cannot be removed: '{output.Name}' is still used.");
            }
        }

        Detach(node);
        foreach (var graph in node.Subgraphs)
        {
            graph.ReleaseAll();
        }

        foreach (var graph in node.Subgraphs)
        {
            Abandon(graph);
        }

        node.SetInputs();
        foreach (var output in node.Outputs)
        {
            _values.Remove(output.Name);
        }
    }

    /// <summary>Removes a node and lets its outputs be initializers of the same names; what reads them stays as it is.</summary>
    /// <param name="node">A node of this graph.</param>
    /// <param name="tensors">One per output; those of left-out outputs are ignored.</param>
    public void MakeConstant(Node node, params ReadOnlySpan<Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tensors.Length, node.Outputs.Count);
        Detach(node);
        foreach (var graph in node.Subgraphs)
        {
            graph.ReleaseAll();
        }

        foreach (var graph in node.Subgraphs)
        {
            Abandon(graph);
        }

        node.SetInputs();
        for (var i = 0; i < tensors.Length; i++)
        {
            var value = node.Outputs[i];
            value.Producer = null;
            value.OutputIndex = 0;
            value.Type = null;
            if (value.Name.Length > 0)
            {
                SetInitializer(value, tensors[i]);
            }
        }
    }

    /// <summary>
    /// Lets everything that read <paramref name="old"/> read <paramref name="replacement"/> instead, graph outputs included. An output keeps its
    /// name: the replacement takes it over, or, where it cannot (an input, an initializer, another output, an outer value), an Identity node does.
    /// </summary>
    public void Replace(Value old, Value replacement)
    {
        ArgumentNullException.ThrowIfNull(old);
        ArgumentNullException.ThrowIfNull(replacement);
        old.ReplaceUsesWith(replacement);
        var owner = old.Graph;
        foreach (var graph in old.OutputOf.ToArray())
        {
            // A subgraph that returns a value from around it: what it calls its outputs concerns nobody.
            if (graph != owner)
            {
                graph.SetOutput(graph._outputs.IndexOf(old), replacement);
            }
        }

        if (!old.IsGraphOutput)
        {
            return;
        }

        var name = old.Name;
        var source = replacement;
        if (replacement.Graph != owner || replacement.Producer is null || replacement.OutputOf.Contains(owner))
        {
            source = owner.Add("Identity", [replacement], name);
        }

        owner.Rename(old, owner.UniqueName(name + "_replaced"));
        owner.Rename(source, name);
        source.Type ??= old.Type;
        while (old.OutputOf.Count > 0)
        {
            owner.SetOutput(owner._outputs.IndexOf(old), source);
        }
    }

    /// <summary>Puts the nodes of this graph into an order ONNX accepts, changing the present one no more than needed. Subgraphs are left alone.</summary>
    /// <exception cref="InvalidOperationException">The graph has a cycle.</exception>
    public void SortTopologically()
    {
        if (TopologicalOrder.IsSorted(this))
        {
            return;
        }

        var order = TopologicalOrder.Sort(this);
        if (order.Count != NodeCount)
        {
            throw new InvalidOperationException($"Graph '{Name}' has a cycle through {TopologicalOrder.NodesInCycles(this).First().DisplayName}.");
        }

        foreach (var node in order)
        {
            Detach(node);
            InsertBefore(null, node);
        }
    }

    /// <summary>The values of graphs around this one that its nodes, its outputs and its subgraphs read; some more than once.</summary>
    internal IEnumerable<Value> OuterReads()
    {
        for (var node = FirstNode; node is not null; node = node.Next)
        {
            foreach (var input in node.Inputs)
            {
                if (input is not null && input.Graph != this)
                {
                    yield return input;
                }
            }

            foreach (var subgraph in node.Subgraphs)
            {
                foreach (var value in subgraph.OuterReads())
                {
                    if (value.Graph != this)
                    {
                        yield return value;
                    }
                }
            }
        }

        foreach (var output in _outputs)
        {
            if (output.Graph != this)
            {
                yield return output;
            }
        }
    }

    private void ReleaseAll()
    {
        foreach (var node in AllNodes)
        {
            node.SetInputs();
        }

        for (var i = _outputs.Count - 1; i >= 0; i--)
        {
            RemoveOutput(i);
        }
    }
}
