using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Shapes;

/// <summary>What <see cref="ShapeInference"/> found.</summary>
/// <param name="Types">Type of each node output of the main graph and its subgraphs about which something is known.</param>
/// <param name="Data">Elements, known or symbolic, of small integer tensors that the graph computes from shapes and constants.</param>
/// <param name="Constants">Small integer tensors that nodes compute from constants alone.</param>
/// <param name="Diagnostics">Contradictions; empty for a sound model.</param>
/// <param name="OperatorsWithoutRule">Operators met that have no rule, with their domain where it is not ONNX's own.</param>
public sealed record ShapeInferenceResult(
    IReadOnlyDictionary<Value, OnnxType> Types, IReadOnlyDictionary<Value, ImmutableArray<SymbolicInteger>> Data, IReadOnlyDictionary<Value, Tensor> Constants,
    IReadOnlyList<Diagnostic> Diagnostics, IReadOnlySet<string> OperatorsWithoutRule);
