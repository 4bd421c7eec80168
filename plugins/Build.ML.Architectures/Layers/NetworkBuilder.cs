using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Random;

namespace Build.ML.Architectures.Layers;

/// <summary>
/// Builds a network as an ONNX model of opset 21. Weights are initializers; all else that is constant (sizes, masks) is in Constant nodes,
/// so that what training may
/// change is told by being an initializer. A weight's numbers depend on the seed and its name only.
/// </summary>
sealed partial class NetworkBuilder
{
    private readonly OnnxGraph _graph;
    private readonly CounterRandom _random;
    private readonly Dictionary<string, Value> _constants = new(StringComparer.Ordinal);

    /// <param name="name">Name of the graph: that of the architecture.</param>
    /// <param name="seed">Seed of all weights.</param>
    internal NetworkBuilder(string name, long seed) => (_graph, _random) = (new OnnxGraph(name), new CounterRandom(seed));

    /// <summary>An input with a batch dimension before <paramref name="sizes"/>.</summary>
    internal Value Input(string name, DataType type, params ReadOnlySpan<long> sizes) => _graph.AddInput(name, Batched(type, sizes));

    /// <summary>The model, with one output that has a batch dimension before <paramref name="sizes"/>.</summary>
    internal Model Finish(Value output, params ReadOnlySpan<long> sizes)
    {
        output.Type = Batched(DataType.Float, sizes);
        _graph.AddOutput(output);
        return new Model(_graph) { ProducerName = "Build.ML" };
    }

    /// <summary>A float weight.</summary>
    internal Value Weight(string name, WeightFill fill, params ReadOnlySpan<long> sizes) =>
        _graph.AddInitializer(name, InitialWeight.Of(_random, name, fill, sizes));

    /// <summary>A node with one output, both of that name.</summary>
    internal Value Node(string opType, string name, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<NodeAttribute> attributes) =>
        _graph.Add(opType, inputs, name, attributes);

    /// <summary>Equal parts of the last axis.</summary>
    internal Value[] Split(Value x, string name, int parts)
    {
        var node = _graph.CreateNode("Split");
        node.Name = name;
        node.SetInputs(x);
        node.SetAttribute(NodeAttribute.Int("axis", -1));
        node.SetAttribute(NodeAttribute.Int("num_outputs", parts));
        var outputs = new Value[parts];
        for (var i = 0; i < parts; i++)
        {
            outputs[i] = node.AddOutput(_graph.UniqueName($"{name}.{i}"));
        }

        _graph.InsertBefore(null, node);
        return outputs;
    }

    /// <summary>A constant that no training changes; made once for a name.</summary>
    internal Value Constant(string name, Func<Tensor> tensor)
    {
        if (!_constants.TryGetValue(name, out var value))
        {
            _constants[name] = value = _graph.Add("Constant", [], name, [NodeAttribute.Tensor("value", tensor())]);
        }

        return value;
    }

    /// <summary>A number.</summary>
    internal Value Scalar(float number) =>
        Constant(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"number.{number}"), () => Tensor.Scalar(number));

    /// <summary>A list of integers, such as axes or sizes.</summary>
    internal Value Integers(params long[] numbers) => Constant($"integers.{string.Join('_', numbers)}", () => Tensor.Of(numbers, numbers.Length));

    /// <summary>Another form of the same elements; 0 keeps the size of that axis, −1 takes what is left.</summary>
    internal Value Reshape(Value x, string name, params long[] sizes) => Node("Reshape", name, [x, Integers(sizes)]);

    /// <summary>Axes in another order.</summary>
    internal Value Transpose(Value x, string name, params ReadOnlySpan<long> order) => Node("Transpose", name, [x], NodeAttribute.Ints("perm", order));

    /// <summary>Zeroes elements in training; nothing at all for a probability of 0.</summary>
    internal Value Dropout(Value x, string name, double probability) =>
        probability > 0 ? Node("Dropout", name, [x, Scalar((float)probability)]) : x;

    /// <summary>y = x · Wᵀ + b of x [batch, in] with W [out, in]: <c>Gemm</c>.</summary>
    internal Value Linear(Value x, string name, int inputs, int outputs, WeightFill weight, WeightFill bias) => Node(
        "Gemm", name, [x, Weight(name + ".weight", weight, outputs, inputs), Weight(name + ".bias", bias, outputs)], NodeAttribute.Int("transB", 1));

    private static TensorType Batched(DataType type, ReadOnlySpan<long> sizes)
    {
        var dimensions = new List<Dimension> { new("batch") };
        foreach (var size in sizes)
        {
            dimensions.Add(size);
        }

        return new TensorType(type, new Shape(dimensions));
    }
}
