using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Coupling;

/// <summary>Why nothing can be removed from an axis.</summary>
/// <param name="Node">The node that stops it; null for the model's interface, its inputs and outputs.</param>
/// <param name="Reason">What about it, as the end of a sentence: <c>graph output 'y' has it</c>.</param>
public sealed record AxisLock(Node? Node, string Reason)
{
    /// <summary>The node, if any, and the reason.</summary>
    public override string ToString() => Node is null ? Reason : $"{Node.DisplayName}: {Reason}";
}
