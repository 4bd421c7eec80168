using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// Which constants of a model are weights that training changes. A graph does not say: the 1/√2 of a GELU and a mask are constants as a layer's weight is. A constant is a weight where an
/// operator's definition says so (kernels, biases, scales of normalizations, embeddings), and beside element-wise operators where it has more than one element, looks like no mask, is no
/// table that multiplies (the cosines of rotary positions) and is not what the model's inputs are normalized by.
/// </summary>
public static class TrainableWeights
{
    // Greater ones are not learned but written down: -1e4 and -3.4e38 are masks.
    private const float Largest = 5000;

    /// <summary>Whether a constant is a weight.</summary>
    /// <param name="value">A float initializer.</param>
    public static bool IsWeight(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var tensor = value.Initializer;
        foreach (var use in value.Uses)
        {
            if (Role(use.Node, use.Index) is { } role && (role || IsElementwiseWeight(value, use.Node)))
            {
                return tensor is null || LooksLearned(tensor);
            }
        }

        return false;
    }

    /// <summary>Whether a constant is a running mean or variance of a batch normalization, which follows statistics and no gradient.</summary>
    /// <param name="value">A float initializer.</param>
    public static bool IsStatistic(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        foreach (var use in value.Uses)
        {
            if (use is { Node: { OpType: "BatchNormalization", Domain: "" }, Index: 3 or 4 })
            {
                return true;
            }
        }

        return false;
    }

    // True: a weight by the operator's definition; false: it may be one; null: none.
    private static bool? Role(Node node, int input) => (node.Domain, node.OpType) switch
    {
        ("", "Conv" or "ConvTranspose" or "Gemm" or "BatchNormalization" or "InstanceNormalization" or "GroupNormalization" or "LayerNormalization" or "RMSNormalization") =>
            input is 1 or 2 ? true : null,
        (_, "SimplifiedLayerNormalization") => input == 1 ? true : null,
        (_, "SkipLayerNormalization" or "SkipSimplifiedLayerNormalization") => input >= 2 ? true : null,
        ("", "PRelu") => input == 1 ? true : null,
        ("", "MatMul") or (_, "FusedMatMul") => true,
        ("", "Einsum") => true,
        ("", "Gather") => input == 0 ? true : null,
        ("", "LSTM" or "GRU" or "RNN") => input is >= 1 and <= 3 ? true : null,
        (_, "BiasGelu" or "FastGelu") => input == 1 ? true : null,
        ("", "Add" or "Sub" or "Mul" or "Div") => false,

        // A weight that is turned or cast on its way to its operator.
        ("", "Transpose" or "Reshape" or "Unsqueeze" or "Squeeze" or "Identity" or "Expand" or "Concat") => input == 0 && LeadsToWeight(node) ? true : null,
        _ => null,
    };

    private static bool LeadsToWeight(Node node)
    {
        foreach (var use in node.Outputs[0].Uses)
        {
            if (Role(use.Node, use.Index) == true)
            {
                return true;
            }
        }

        return false;
    }

    // A bias of one element follows a product; other lone numbers are epsilons and factors.
    private static bool IsElementwiseWeight(Value value, Node node)
    {
        var other = node.Inputs[0] == value ? node.Inputs[1] : node.Inputs[0];
        return (value.Initializer?.Count ?? value.Shape?.Count) > 1
            ? other is not { IsGraphInput: true, Initializer: null } && (node.OpType is "Add" or "Sub" || Axes(value) == 1)
            : node.OpType == "Add" && other?.Producer is { OpType: "MatMul" or "Gemm" or "Conv" };
    }

    // Factors are learned for each channel, sums (positions) also for each place.
    private static int Axes(Value value)
    {
        var axes = 0;
        foreach (var dimension in value.Shape!.Dimensions)
        {
            axes += dimension.Size > 1 ? 1 : 0;
        }

        return axes;
    }

    private static bool LooksLearned(Graph.Tensors.Tensor tensor)
    {
        using var view = tensor.Read<float>();
        return System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(view.Span) is var largest && largest <= Largest; // false for NaN too
    }
}
