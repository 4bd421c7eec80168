using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Shapes;

/// <summary>What <see cref="ShapeInference"/> found.</summary>
/// <param name="Types">Type of each node output of the main graph and its subgraphs about which something is known.</param>
/// <param name="Diagnostics">Contradictions; empty for a sound model.</param>
/// <param name="OperatorsWithoutRule">Operators met that have no rule, with their domain where it is not ONNX's own.</param>
public sealed record ShapeInferenceResult(
    IReadOnlyDictionary<Value, OnnxType> Types, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlySet<string> OperatorsWithoutRule);
