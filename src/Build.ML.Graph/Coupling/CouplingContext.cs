using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>What a <see cref="CouplingRule"/> sees of a node.</summary>
public sealed class CouplingContext
{
    internal CouplingContext(Node node, long opset) => (Node, Opset) = (node, opset);

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Version of the operator set of the node's domain.</summary>
    public long Opset { get; }
}
