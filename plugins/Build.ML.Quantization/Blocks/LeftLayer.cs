using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Blocks;

/// <summary>A node with constant weights that is not quantized.</summary>
/// <param name="Node">The node.</param>
/// <param name="Reason">Why not.</param>
internal sealed record LeftLayer(Node Node, string Reason)
{
    /// <summary>The line of the report.</summary>
    public LayerOutcome Outcome => new(LayerNames.Of(Node), Node.OpType, "left", Reason, ImmutableArray<KeyValuePair<string, double>>.Empty);
}
