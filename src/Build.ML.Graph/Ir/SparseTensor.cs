using System.Collections.Immutable;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Ir;

/// <summary>A tensor given by its non-zero elements: <c>SparseTensorProto</c>.</summary>
/// <param name="Values">The non-zero elements, [nnz].</param>
/// <param name="Indices">Their linear indices [nnz] or coordinates [nnz, rank], int64, ascending.</param>
/// <param name="Sizes">Sizes of the dense tensor.</param>
public sealed record SparseTensor(Tensor Values, Tensor Indices, ImmutableArray<long> Sizes)
{
    /// <summary>How the file encoded it; null for what was made here.</summary>
    internal Onnx.MessageOrigin? Origin { get; init; }
}
