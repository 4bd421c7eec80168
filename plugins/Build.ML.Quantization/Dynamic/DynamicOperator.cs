using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Dynamic;

/// <summary>How <c>quantize.dynamic</c> rewrites one operator. A sealed class with <see cref="DynamicOperatorAttribute"/> adds one.</summary>
internal abstract class DynamicOperator
{
    /// <summary>Which input holds the weight.</summary>
    public abstract int WeightInput { get; }

    /// <summary>What keeps a node with a constant float weight from being rewritten, or null.</summary>
    public abstract string? Obstacle(Node node);

    /// <summary>Puts the integer form in the place of the node and returns the scales of its weight.</summary>
    public abstract Weights.WeightScales Rewrite(Node node, DynamicRewriter rewriter);
}

/// <summary>Names the operator that a <see cref="DynamicOperator"/> rewrites.</summary>
/// <param name="name">Operator of ONNX's own set.</param>
internal sealed class DynamicOperatorAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(DynamicOperator);
}
