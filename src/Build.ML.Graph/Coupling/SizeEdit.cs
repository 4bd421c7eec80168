using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Coupling;

/// <summary>A number a node is given that must stay the number of positions left of (the first <paramref name="Count"/> of) a dimension.</summary>
/// <param name="Node">The node.</param>
/// <param name="Attribute">Name of the attribute, or null for an input.</param>
/// <param name="Input">Which input, where it is one.</param>
/// <param name="Element">Which element.</param>
/// <param name="Layout">The dimension.</param>
/// <param name="Count">How many of its positions, from the first.</param>
sealed record SizeEdit(Node Node, string? Attribute, int Input, int Element, DimensionLayout Layout, long Count);

/// <summary>A Split whose sizes must stay those of its parts.</summary>
sealed record SplitEdit(Node Node, DimensionLayout[] Parts, long Opset);

/// <summary>All that a removal may have to edit.</summary>
/// <param name="Constants">Weights and parameters.</param>
/// <param name="Sizes">Numbers given to nodes.</param>
/// <param name="Splits">Divisions.</param>
/// <param name="Computed">Integers that the graph computes from constants alone.</param>
/// <param name="Types">Inferred types.</param>
sealed record GraphEdits(
    IReadOnlyList<ConstantUse> Constants, IReadOnlyList<SizeEdit> Sizes, IReadOnlyList<SplitEdit> Splits, IReadOnlyDictionary<Value, Tensor> Computed,
    IReadOnlyDictionary<Value, OnnxType> Types);
