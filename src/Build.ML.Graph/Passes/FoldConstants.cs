using Build.ML.Graph.Evaluation;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Computes what does not depend on the model's inputs: nodes whose inputs are all constants, and shape arithmetic whose result the static dimensions
/// settle. All nodes together let the model grow by at most <see cref="MaxGrowth"/> bytes, small results not counted. Weights stored quantized stay so: there is no evaluator for
/// DequantizeLinear. Large results are computed again whenever they are read, so that none is held in memory.
/// </summary>
[GraphPass("fold-constants", Order = 200)]
public sealed class FoldConstants : IGraphPass
{
    private const long HeldBytes = 1 << 20;
    private const long SmallBytes = 1024;

    /// <summary>
    /// Bytes that outputs may take beyond the constants that go with their nodes, over all nodes: parts cut out of a weight that others go on reading would come on top of it. Outputs
    /// of up to 1 KiB, such as shapes, are always worth it. Default 16 KiB.
    /// </summary>
    public long MaxGrowth { get; init; } = 16 * 1024;

    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var inferred = ShapeInference.Infer(model, useDeclared: false);
        var folded = 0;
        var left = MaxGrowth;
        foreach (var node in model.AllNodes)
        {
            if (node.Outputs.Count > 0 && !node.Is("Constant") && !node.Outputs.Any(o => o.IsGraphOutput)
                && (FromShapes(node, inferred) ?? FromConstants(node, model, inferred, ref left)) is { } outputs)
            {
                node.Graph.MakeConstant(node, outputs);
                folded++;
            }
        }

        return folded;
    }

    private static Tensor[]? FromShapes(Node node, ShapeInferenceResult inferred)
    {
        if (node.Outputs.Count != 1 || !inferred.Data.TryGetValue(node.Outputs[0], out var data) || data.Any(d => !d.IsKnown)
            || !inferred.Types.TryGetValue(node.Outputs[0], out var type) || type is not TensorType { Shape: { IsStatic: true, Rank: <= 1 } shape } tensor
            || shape.Count != data.Length)
        {
            return null;
        }

        var sizes = shape.ToSizes();
        return tensor.ElementType switch
        {
            DataType.Int64 => [Tensor.Of(data.Select(d => d.Value!.Value).ToArray(), data.Length).Reshape(sizes)],
            DataType.Int32 => [Tensor.Of(data.Select(d => (int)d.Value!.Value).ToArray(), data.Length).Reshape(sizes)],
            DataType.Bool => [Tensor.Of(data.Select(d => d.Value != 0).ToArray(), data.Length).Reshape(sizes)],
            _ => null,
        };
    }

    private static Tensor[]? FromConstants(Node node, Model model, ShapeInferenceResult inferred, ref long left)
    {
        if (!NodeEvaluator.BuiltIn.Covers(node))
        {
            return null;
        }

        var inputs = new Tensor?[node.Inputs.Count];
        long freed = 0, read = 0;
        for (var i = 0; i < inputs.Length; i++)
        {
            if (node.Inputs[i] is not { } value)
            {
                continue;
            }

            if (value.Constant is not { } constant)
            {
                return null;
            }

            inputs[i] = constant;
            read += constant.ByteLength;
            freed += value.OnlyReader() is not null ? constant.ByteLength : 0;
        }

        // What the outputs will take must be known before they are computed: a ConstantOfShape may ask for gigabytes.
        var allowed = freed + Math.Max(left, SmallBytes);
        if ((OutputBytes(node, inferred) ?? (read <= allowed ? 0 : long.MaxValue)) is var expected && (expected > allowed || expected > int.MaxValue))
        {
            return null;
        }

        var opset = model.OperatorSets[node.Domain];
        var outputs = NodeEvaluator.BuiltIn.TryEvaluate(node, opset, inputs);
        var taken = outputs?.Sum(o => o.ByteLength) ?? long.MaxValue;
        if (outputs is null || taken > allowed)
        {
            return null;
        }

        left -= taken - freed > SmallBytes ? taken - freed : 0;
        if (taken >= HeldBytes)
        {
            var recipe = Copy(node);
            for (var i = 0; i < outputs.Length; i++)
            {
                outputs[i] = ComputedAgain(outputs[i], recipe, i, opset, inputs);
            }
        }

        return outputs;
    }

    private static long? OutputBytes(Node node, ShapeInferenceResult inferred)
    {
        long bytes = 0;
        foreach (var output in node.Outputs)
        {
            if (output.Name.Length > 0)
            {
                if (!inferred.Types.TryGetValue(output, out var type) || type is not TensorType { Shape.Count: { } count } tensor)
                {
                    return null;
                }

                bytes = checked(bytes + tensor.ElementType.ByteLength(count));
            }
        }

        return bytes;
    }

    private static Tensor ComputedAgain(Tensor output, Node node, int index, long opset, Tensor?[] inputs) =>
        inputs.Any(i => ReferenceEquals(i?.Content, output.Content))
            ? output // a reshape: the content is the input's
            : new Tensor(output.Type, output.Sizes.AsSpan(), new ComputedContent(
                output.ByteLength, () => NodeEvaluator.BuiltIn.TryEvaluate(node, opset, inputs)![index].ToArray<byte>()));

    /// <summary>The node without its place in the graph, which it is about to lose: what the evaluators look at.</summary>
    private static Node Copy(Node node)
    {
        var copy = new OnnxGraph().CreateNode(node.OpType, node.Domain);
        foreach (var attribute in node.Attributes)
        {
            copy.SetAttribute(attribute);
        }

        for (var i = 0; i < node.Outputs.Count; i++)
        {
            copy.AddOutput($"{i}");
        }

        return copy;
    }
}
