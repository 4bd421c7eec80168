using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.LowRank.Layers;

/// <summary>The layers of a model, subgraphs included, that two smaller ones can stand for: constant weights seen as matrices [outputs, inputs].</summary>
/// <param name="Layers">Them, in the order of their nodes.</param>
/// <param name="Left">Nodes with constant weights that are none, and why.</param>
internal sealed record LowRankLayers(ImmutableArray<WeightLayer> Layers, ImmutableArray<LayerOutcome> Left)
{
    /// <summary>Operators that are looked at.</summary>
    public static readonly ImmutableArray<string> OpTypes = ["Conv", "Gemm", "MatMul"];

    /// <summary>Finds them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="opTypes">Operators to take, of <paramref name="known"/>; none takes all of these.</param>
    /// <param name="include">Globs over names.</param>
    /// <param name="exclude">Globs over names.</param>
    /// <param name="known">Operators that the technique treats.</param>
    /// <exception cref="DiagnosticException">BML5401 and BML5402 of the selection.</exception>
    public static LowRankLayers Find(
        Model model, ImmutableArray<string> opTypes, ImmutableArray<string> include, ImmutableArray<string> exclude, params ReadOnlySpan<string> known)
    {
        var names = known.Length == 0 ? [.. OpTypes] : known.ToArray();
        var errors = opTypes.Where(o => !names.Contains(o))
            .Select(o => new Diagnostic("BML5402", $"op_types names '{o}', which this technique does not factor. It knows {string.Join(", ", names)}."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }

        var selection = new LayerSelection(model, opTypes, include, exclude);
        var left = ImmutableArray.CreateBuilder<LayerOutcome>();
        var found = new Dictionary<(Value Weight, bool IsTransposed, bool IsConv, DataType Type), List<Use>>();
        foreach (var node in model.AllNodes.Where(n => n.Domain.Length == 0 && names.Contains(n.OpType)))
        {
            if (ConstantSource.Of(node.Input(1)) is not { } source)
            {
                if (node.Input(1) is { IsGraphInput: true, Initializer.Rank: >= 2 })
                {
                    left.Add(LeftNode(node, "its weight is an input of the model too, which a caller may replace: put a step 'use: optimize.graph' before this one"));
                }

                continue;
            }

            if (!source.Tensor.Type.IsFloat())
            {
                continue;
            }

            if ((selection.ReasonToLeave(node) ?? Obstacle(node, source)) is { } reason)
            {
                left.Add(LeftNode(node, reason));
                continue;
            }

            // MatMul and Gemm without transB hold the matrix as [inputs, outputs].
            var isTransposed = source.IsTransposed ^ (node.OpType == "MatMul" || (node.OpType == "Gemm" && node.Int("transB", 0) == 0));
            var key = (source.Value, isTransposed, node.OpType == "Conv", source.Type);
            if (!found.TryGetValue(key, out var readers))
            {
                found.Add(key, readers = []);
            }

            readers.Add(new(node, 1));
        }

        var layers = ImmutableArray.CreateBuilder<WeightLayer>();
        foreach (var ((weight, isTransposed, _, type), readers) in found)
        {
            if (IsReadOnlyBy(weight, [.. readers.Select(r => r.Node)]))
            {
                layers.Add(new([.. readers], weight, isTransposed, type));
            }
            else
            {
                left.AddRange(readers.Select(r => LeftNode(r.Node, $"its weight '{weight.Name}' has other readers too, which would keep it")));
            }
        }

        return new(layers.ToImmutable(), left.ToImmutable());
    }

    /// <summary>What a report says of a layer that is left.</summary>
    public static LayerOutcome LeftNode(Node node, string reason) => new(node.Name.Length > 0 ? node.Name : node.Outputs[0].Name, node.OpType, "left", reason, []);

    /// <summary>The error where no layer was factored.</summary>
    public static DiagnosticException Nothing(IReadOnlyCollection<LayerOutcome> left) => new(
        "BML5701",
        $"No layer was factored. {string.Join(' ', left.Take(5).Select(l => $"{l.OpType} '{l.Layer}': {l.Reason}."))}{(left.Count > 5 ? $" And {left.Count - 5} more." : "")} "
        + "Ask for a lower rank, widen the selection, or remove the step.");

    private static string? Obstacle(Node node, ConstantSource source)
    {
        var tensor = source.Tensor;
        return !FloatElements.Has(tensor.Type) ? $"weights of type {tensor.Type.OnnxName()} are not factored"
            : source.Type is not (DataType.Float or DataType.Float16) ? $"it computes in {source.Type.OnnxName()}"
            : tensor.Count == 0 ? "the weight is empty"
            : node.OpType == "Conv"
                ? tensor.Rank < 3 ? $"the weight has {tensor.Rank} dimensions"
                    : source.IsTransposed ? "the weight is transposed"
                    : node.Int("group", 1) != 1 ? $"its {node.Int("group", 1)} groups of channels are small products already" : null
            : tensor.Rank != 2 ? $"the weight has {tensor.Rank} dimensions, a matrix has 2"
            : node.OpType == "Gemm" && node.Int("transA", 0) != 0 ? "its first operand is transposed" : null;
    }

    private static bool IsReadOnlyBy(Value value, HashSet<Node> readers) => !value.IsGraphOutput && value.Uses.All(u =>
        (readers.Contains(u.Node) && u.Index == 1) || (u.Node is { Domain: "", OpType: "Transpose" or "Cast" or "Identity" } && IsReadOnlyBy(u.Node.Outputs[0], readers)));
}
