using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Blocks;

/// <summary>The layers of a model, subgraphs included, whose constant weights can be seen as matrices.</summary>
/// <param name="Layers">Layers to quantize, in the order of their nodes.</param>
/// <param name="Left">Nodes with constant weights that are not, and why.</param>
internal sealed record WeightLayers(ImmutableArray<WeightLayer> Layers, ImmutableArray<LeftLayer> Left)
{
    /// <summary>All operators that <see cref="Find"/> knows.</summary>
    public static readonly ImmutableArray<string> AllOpTypes = ["MatMul", "Gemm", "Gather", "Conv"];

    /// <summary>Finds them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="selection">Which nodes the user wants.</param>
    /// <param name="opTypes">Operators that the technique treats, of <see cref="AllOpTypes"/>; nodes of others are not mentioned.</param>
    public static WeightLayers Find(Model model, LayerSelection selection, params ReadOnlySpan<string> opTypes)
    {
        var left = new List<LeftLayer>();
        var found = new Dictionary<(Value Weight, bool IsTransposed, bool IsConv, DataType Type), List<Use>>();
        foreach (var node in model.AllNodes)
        {
            if (node.Domain.Length > 0 || !opTypes.Contains(node.OpType))
            {
                continue;
            }

            var input = node.OpType == "Gather" ? 0 : 1;
            if (ConstantSource.Of(node.Input(input)) is not { } source)
            {
                if (node.Input(input) is { IsGraphInput: true, Initializer.Rank: >= 2 })
                {
                    left.Add(new(node, "its weight is an input of the model too, which a caller may replace: put a step 'use: optimize.graph' before this one"));
                }
                else if (node.OpType == "MatMul" && ConstantSource.Of(node.Input(0)) is { Tensor: { Rank: 2 } first } && FloatElements.Has(first.Type))
                {
                    left.Add(new(node, "its first operand is the constant, ONNX Runtime's block forms take the second"));
                }

                continue;
            }

            if (!source.Tensor.Type.IsFloat())
            {
                continue; // a look-up of integers
            }

            if ((selection.ReasonToLeave(node) ?? Obstacle(node, source)) is { } reason)
            {
                left.Add(new(node, reason));
                continue;
            }

            // MatMul and Gemm without transB hold the matrix as [inputs, outputs].
            var isTransposed = source.IsTransposed ^ (node.OpType == "MatMul" || (node.OpType == "Gemm" && node.Int("transB", 0) == 0));
            var key = (source.Value, isTransposed, node.OpType == "Conv", source.Type);
            if (!found.TryGetValue(key, out var readers))
            {
                found.Add(key, readers = []);
            }

            var use = new Use(node, input);
            readers.Insert(node.OpType == "Gather" ? readers.Count : readers.TakeWhile(r => r.Node.OpType != "Gather").Count(), use);
        }

        return new([.. found.Select(f => new WeightLayer([.. f.Value], f.Key.Weight, f.Key.IsTransposed, f.Key.Type))], [.. left]);
    }

    private static string? Obstacle(Node node, ConstantSource source)
    {
        var tensor = source.Tensor;
        return !FloatElements.Has(tensor.Type) ? $"weights of type {tensor.Type.OnnxName()} are not quantized"
            : source.Type is not (DataType.Float or DataType.Float16) ? $"it computes in {source.Type.OnnxName()}, for which ONNX Runtime's CPU has no such kernel"
            : tensor.Count == 0 ? "the weight is empty"
            : node.OpType switch
            {
                "Conv" => tensor.Rank < 3 ? $"the weight has {tensor.Rank} dimensions"
                    : source.IsTransposed || source.Tensor.Rank != tensor.Rank ? "the weight is transposed" : null,
                "Gather" => tensor.Rank != 2 || node.Int("axis", 0) is not (0 or -2) ? "not a look-up of the rows of a matrix"
                    : tensor.Sizes[1] % 4 != 0 ? $"its rows of {tensor.Sizes[1]} numbers do not fill bytes" : null,
                _ => tensor.Rank != 2 ? $"the weight has {tensor.Rank} dimensions, the block forms take 2"
                    : node.OpType == "Gemm" && node.Int("transA", 0) != 0 ? "its first operand is transposed"
                    : node.OpType == "Gemm" && node.Float("alpha", 1) == 0 ? "its alpha is 0"
                    : node.OpType == "Gemm" && node.Float("beta", 1) is not (1 or 0) && node.Input(2) is { Constant: null } ? "its third operand is scaled and not constant"
                    : null,
            };
    }
}
