using Build.ML.Architectures.Layers;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Architectures.TensorFlowJs;

/// <summary>
/// The layers of a transformer as TensorFlow writes them, with weights that are known: <c>name.weight</c> [in, out] and <c>name.bias</c> [out].
/// A node's output and the node are named after what they compute, so that techniques can select layers by name.
/// </summary>
/// <param name="network">Where to.</param>
internal sealed class TransformerLayers(NetworkBuilder network)
{
    private const int Heads = 4;

    /// <summary>y = x·W + b.</summary>
    /// <param name="name">Of the layer.</param>
    /// <param name="x">[…, in].</param>
    /// <param name="weight">[in, out].</param>
    /// <param name="bias">[out].</param>
    /// <param name="output">Name of the output; default that of the layer.</param>
    public Value Linear(string name, Value x, Tensor weight, Tensor bias, string? output = null)
    {
        var product = network.Node("MatMul", $"{name}.product", [x, network.Weight($"{name}.weight", weight)]);
        return network.Node("Add", output ?? name, [product, network.Weight($"{name}.bias", bias)]);
    }

    /// <summary>Layer normalization over the last axis, ε = 10⁻⁶.</summary>
    public Value Normalize(string name, Value x, Tensor scale, Tensor bias) => network.Node(
        "LayerNormalization", name, [x, network.Weight($"{name}.weight", scale), network.Weight($"{name}.bias", bias)],
        NodeAttribute.Int("axis", -1), NodeAttribute.Float("epsilon", 1e-6f));

    /// <summary>Self-attention of four heads: softmax(q·kᵀ/√d + bias)·v for each, joined, and a linear layer.</summary>
    /// <param name="name">Of the layer; its parts are <c>name.query</c>, <c>name.key</c>, <c>name.value</c>, <c>name.output</c>.</param>
    /// <param name="x">[batch, sequence, size].</param>
    /// <param name="bias">Added to the scores [batch, heads, sequence, sequence].</param>
    /// <param name="weight">Queries, keys and values beside each other: [size, 3·size].</param>
    /// <param name="weightBias">[3·size].</param>
    /// <param name="output">[size, out].</param>
    /// <param name="outputBias">[out].</param>
    public Value Attention(string name, Value x, Value bias, Tensor weight, Tensor weightBias, Tensor output, Tensor outputBias)
    {
        var size = (int)weight.Sizes[0];
        var query = Split($"{name}.query", x, weight, weightBias, 0, [0, 2, 1, 3]);
        var key = Split($"{name}.key", x, weight, weightBias, 1, [0, 2, 3, 1]);
        var value = Split($"{name}.value", x, weight, weightBias, 2, [0, 2, 1, 3]);
        var scaled = network.Node("Mul", $"{name}.query.scaled", [query, network.Scalar(MathF.Sqrt(1f / (size / Heads)))]);
        var scores = network.Node("Add", $"{name}.scores", [network.Node("MatMul", $"{name}.products", [scaled, key]), bias]);
        var weights = network.Node("Softmax", $"{name}.weights", [scores], NodeAttribute.Int("axis", -1));
        var mixed = network.Transpose(network.Node("MatMul", $"{name}.heads", [weights, value]), $"{name}.mixed", 0, 2, 1, 3);
        return Linear($"{name}.output", network.Reshape(mixed, $"{name}.joined", 0, 0, size), output, outputBias);
    }

    // One of the three parts as [batch, heads, …].
    private Value Split(string name, Value x, Tensor weight, Tensor bias, int part, long[] order)
    {
        var size = (int)weight.Sizes[0];
        var linear = Linear(name, x, Tensor.Of(Columns(weight, part, size), size, size), Tensor.Of(Columns(bias, part, size), size));
        var split = network.Reshape(linear, $"{name}.split", 0, 0, Heads, size / Heads);
        return network.Transpose(split, $"{name}.heads", order);
    }

    private static float[] Columns(Tensor tensor, int part, int size)
    {
        var all = tensor.ToArray<float>();
        var rows = all.Length / (3 * size);
        var columns = new float[rows * size];
        for (var row = 0; row < rows; row++)
        {
            all.AsSpan(((row * 3) + part) * size, size).CopyTo(columns.AsSpan(row * size));
        }

        return columns;
    }
}
