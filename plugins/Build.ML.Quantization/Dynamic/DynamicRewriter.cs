using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Dynamic;

/// <summary>What rewriting needs: integer forms of weights and inputs, made once for all nodes that read them.</summary>
/// <param name="quantizer">Rounds weights.</param>
internal sealed class DynamicRewriter(WeightQuantizer quantizer)
{
    private readonly Dictionary<(Value Weight, int Axis, bool Transposed), QuantizedWeight> _weights = [];
    private readonly Dictionary<(OnnxGraph Graph, Value Input), QuantizedInput> _inputs = [];

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format => quantizer.Format;

    /// <summary>The integer form of a constant, beside it in its graph.</summary>
    /// <param name="weight">A float constant.</param>
    /// <param name="axis">Channel axis.</param>
    /// <param name="transposed">Whether the integers are wanted with rows and columns exchanged.</param>
    public QuantizedWeight Weight(Value weight, int axis, bool transposed = false)
    {
        if (!_weights.TryGetValue((weight, axis, transposed), out var quantized))
        {
            var tensor = weight.Constant!;
            var scales = quantizer.Fit(weight.Name, tensor, axis);
            var integers = transposed ? quantizer.QuantizedTransposed(tensor, scales) : quantizer.Quantized(tensor, scales);
            quantized = new(weight.Graph.AddInitializer(weight.Name + "_quantized", integers), scales);
            _weights.Add((weight, axis, transposed), quantized);
        }

        return quantized;
    }

    /// <summary>An input rounded at run time to u8 under its own extremes, by a DynamicQuantizeLinear before <paramref name="node"/>.</summary>
    public QuantizedInput Input(Value input, Node node)
    {
        if (!_inputs.TryGetValue((node.Graph, input), out var quantized))
        {
            var graph = node.Graph;
            var dynamic = graph.CreateNode("DynamicQuantizeLinear");
            dynamic.SetInputs(input);
            dynamic.Name = graph.UniqueName(input.Name + "_quantized");
            quantized = new(
                dynamic.AddOutput(dynamic.Name),
                dynamic.AddOutput(graph.UniqueName(input.Name + "_scale")),
                dynamic.AddOutput(graph.UniqueName(input.Name + "_zero_point")));
            graph.InsertBefore(node, dynamic);
            _inputs.Add((graph, input), quantized);
        }

        return quantized;
    }

    /// <summary>
    /// x·W by integers: Cast(MatMulInteger(q, Wq)) · (scale of x · scales of W). ONNX Runtime fuses exactly this form into DynamicQuantizeMatMul, or into
    /// MatMulIntegerToFloat where several nodes share the input.
    /// </summary>
    /// <param name="node">The node to compute the product of; the new nodes come before it.</param>
    /// <param name="weight">Integer weight [inner, columns].</param>
    /// <param name="factor">Multiplies the product; becomes part of the scales.</param>
    public Value Product(Node node, QuantizedWeight weight, float factor = 1)
    {
        var graph = node.Graph;
        var name = node.Outputs[0].Name;
        var input = Input(node.Inputs[0]!, node);
        var scales = weight.Scales.Scales;
        if (factor != 1)
        {
            scales = Array.ConvertAll(scales, s => s * factor);
        }

        var scaleTensor = Format.Granularity == Granularity.PerTensor ? Tensor.Scalar(scales[0]) : Tensor.Of(scales, scales.Length);
        var scale = graph.AddInitializer(weight.Integers.Name + "_scale", scaleTensor);
        Value? zeroPoint = Format.Type == QuantizedType.S8
            ? null
            : graph.AddInitializer(weight.Integers.Name + "_zero_point", weight.Scales.ZeroPointTensor());
        var sum = graph.Add("MatMulInteger", [input.Integers, weight.Integers, input.ZeroPoint, zeroPoint], name + "_integer", before: node);
        var real = graph.Add("Cast", [sum], name + "_cast", [NodeAttribute.Int("to", (long)DataType.Float)], before: node);
        var combined = graph.Add("Mul", [input.Scale, scale], name + "_scale", before: node);
        return graph.Add("Mul", [real, combined], name + "_product", before: node);
    }
}

/// <summary>A weight as integers.</summary>
/// <param name="Integers">The integers.</param>
/// <param name="Scales">What they stand for.</param>
internal sealed record QuantizedWeight(Value Integers, WeightScales Scales);

/// <summary>An input as integers, with the scale and zero point known at run time.</summary>
/// <param name="Integers">u8, the shape of the input.</param>
/// <param name="Scale">float scalar.</param>
/// <param name="ZeroPoint">u8 scalar.</param>
internal sealed record QuantizedInput(Value Integers, Value Scale, Value ZeroPoint);
