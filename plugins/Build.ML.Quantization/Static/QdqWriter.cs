using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Static;

/// <summary>
/// Turns a plan into QuantizeLinear and DequantizeLinear nodes. An activation that comes from an integer kernel is read by everybody behind its pair, so that the kernel's
/// output has one reader and fuses; one that comes as real numbers is read behind a pair only where integers are wanted.
/// </summary>
/// <param name="graph">The main graph; edited.</param>
/// <param name="plan">What to quantize.</param>
/// <param name="activations">Parameters of activations.</param>
/// <param name="weights">The weights as integers.</param>
/// <param name="simulate">Whether weights are written as the real numbers that their integers stand for, and biases left alone: what the quantized model computes, in a form
/// whose weights can be exchanged one by one.</param>
internal sealed class QdqWriter(OnnxGraph graph, QdqPlan plan, ActivationParameters activations, WeightTable weights, bool simulate = false)
{
    private readonly Dictionary<(Value Weight, int? Axis, bool WeightOnly), (Value Real, RoundedWeight Rounded)> _written = [];
    private readonly Dictionary<string, (Value Scale, Value ZeroPoint)> _parameters = [];
    private readonly Dictionary<Node, WeightScales> _scalesOf = [];

    private readonly SharedScales _shared = new(plan);

    /// <summary>Scales of the weights written, by node.</summary>
    public IReadOnlyDictionary<Node, WeightScales> Scales => _scalesOf;

    /// <summary>Writes everything.</summary>
    public void Write()
    {
        foreach (var node in plan.Nodes.ToArray())
        {
            if (node.Form.Weight is { } weight)
            {
                WriteWeight(node, weight);
            }
        }

        foreach (var (value, readers) in plan.Pairs())
        {
            WritePair(value, readers);
        }

        foreach (var node in plan.Nodes.Where(n => n.Form.TakesIntegers).ToArray())
        {
            FeedIntegers(node.Node);
        }
    }

    // DequantizeLinear → node → QuantizeLinear becomes the node on integers, as the runtime does by itself for other operators that move values.
    private void FeedIntegers(Node node)
    {
        var (input, output) = (node.Inputs[0]!.Producer!, node.Outputs[0]);
        var quantize = output.Uses.Single().Node;

        // A Pad, whose third input is what it fills with: the integer that stands for 0.
        node.SetInputs([input.Inputs[0], node.Inputs[1], input.Inputs[2], .. node.Inputs.Skip(3)]);
        output.Type = null;
        quantize.Outputs[0].ReplaceUsesWith(output);
        graph.Remove(quantize);
        if (input.Outputs[0].IsUnused)
        {
            graph.Remove(input);
        }
    }

    private void WriteWeight(QdqNode node, int input)
    {
        var weight = node.Node.Inputs[input]!;
        var bias = node.Form.Bias is { } index && !node.WeightOnly ? node.Node.Input(index) : null;
        var inputScale = node.WeightOnly ? 0 : activations.Of(_shared.Of(node.Node.Inputs[node.Form.Activations[0]]!.Name)).Scale;
        var (real, scales) = Dequantized(node, weight, bias?.Constant, inputScale);
        node.Node.SetInput(input, real);
        _scalesOf.Add(node.Node, scales);
        if (bias is not null && !simulate)
        {
            node.Node.SetInput(node.Form.Bias!.Value, DequantizedBias(bias, scales, inputScale, node.Node));
            RemoveIfUnused(bias);
        }

        RemoveIfUnused(weight);
    }

    private (Value Real, WeightScales Scales) Dequantized(QdqNode node, Value weight, Tensor? bias, float inputScale)
    {
        var axis = node.Form.WeightAxis;
        var rounded = weights.Of(weight, axis, bias, inputScale);
        if (_written.TryGetValue((weight, axis, node.WeightOnly), out var known) && known.Rounded == rounded)
        {
            return (known.Real, rounded.Scales);
        }

        var real = simulate ? graph.AddInitializer(weight.Name + "_simulated", WeightTable.Real(rounded, axis))
            : node.WeightOnly ? Unpacked(weight, rounded, axis)
            : DequantizeLinear(weight, rounded, axis);
        _written[(weight, axis, node.WeightOnly)] = (real, rounded);
        return (real, rounded.Scales);
    }

    private Value DequantizeLinear(Value weight, RoundedWeight rounded, int? axis)
    {
        var (scales, low) = (rounded.Scales, rounded.Scales.Format.Bits < 8);
        var integers = graph.AddInitializer(weight.Name + "_quantized", low ? NibbleContent.Pack(rounded.Integers) : rounded.Integers);
        if (low)
        {
            // The runtime unpacks a constant once, when it loads the model, and then finds the 8-bit weights that its integer kernels take.
            integers = graph.Add("Cast", [integers], weight.Name + "_unpacked", [NodeAttribute.Int("to", (long)DataType.Int8)], before: graph.FirstNode);
        }

        var scale = graph.AddInitializer(weight.Name + "_scale", scales.ScaleTensor());
        var zeroPoint = graph.AddInitializer(weight.Name + "_zero_point", scales.ZeroPointTensor());
        NodeAttribute[] attributes = scales.Format.Granularity == Granularity.PerChannel ? [NodeAttribute.Int("axis", axis!.Value)] : [];
        return graph.Add("DequantizeLinear", [integers, scale, zeroPoint], weight.Name + "_dequantized", attributes, before: After(integers));
    }

    // Of constants, so that the runtime does it once, when it loads the model. DequantizeLinear, which it leaves in place for integer kernels to find, would run each time,
    // and keep it from arranging the weight for its fast convolutions: resnet20 takes half as long this way.
    private Value Unpacked(Value weight, RoundedWeight rounded, int? axis)
    {
        var scales = rounded.Scales;
        var integers = graph.AddInitializer(weight.Name + "_quantized", scales.Format.Bits < 8 ? NibbleContent.Pack(rounded.Integers) : rounded.Integers);
        var real = graph.Add("Cast", [integers], weight.Name + "_unpacked", [NodeAttribute.Int("to", (long)DataType.Float)], before: graph.FirstNode);
        if (scales.ZeroPoints.AsSpan().ContainsAnyExcept(0))
        {
            var zero = graph.AddInitializer(weight.Name + "_zero_point", Tensor.Of(scales.ZeroPoints, Broadcast(scales, weight, axis)));
            real = graph.Add("Sub", [real, zero], weight.Name + "_centred", before: After(real));
        }

        var scale = graph.AddInitializer(weight.Name + "_scale", Tensor.Of(scales.Scales, Broadcast(scales, weight, axis)));
        return graph.Add("Mul", [real, scale], weight.Name + "_dequantized", before: After(real));
    }

    private static long[] Broadcast(WeightScales scales, Value weight, int? axis)
    {
        if (scales.Scales.Length == 1)
        {
            return [1];
        }

        var sizes = new long[weight.Constant!.Rank - axis!.Value];
        Array.Fill(sizes, 1);
        sizes[0] = scales.Scales.Length;
        return sizes;
    }

    private Node? After(Value value) => value.Producer is { } producer ? producer.Next : graph.FirstNode;

    // The pair of a weight must come before every node that shares it, and nothing it reads is computed: the start of the graph will do.
    private Node First(Node node) => graph.FirstNode ?? node;

    private Value DequantizedBias(Value bias, WeightScales weightScales, float inputScale, Node node)
    {
        using var values = bias.Constant!.Read<float>();
        var integers = new int[values.Span.Length];
        var perTensor = weightScales.Format.Granularity == Granularity.PerTensor;
        var scales = new float[perTensor ? 1 : integers.Length];
        for (var c = 0; c < integers.Length; c++)
        {
            var scale = inputScale * weightScales.Of(c);
            scales[perTensor ? 0 : c] = scale;
            integers[c] = (int)Math.Clamp(Math.Round(values.Span[c] / (double)scale), -int.MaxValue, int.MaxValue);
        }

        var integer = graph.AddInitializer(bias.Name + "_quantized", Tensor.Of(integers, integers.Length));
        var scaleValue = graph.AddInitializer(bias.Name + "_scale", perTensor ? Tensor.Scalar(scales[0]) : Tensor.Of(scales, scales.Length));
        NodeAttribute[] attributes = perTensor ? [] : [NodeAttribute.Int("axis", 0)];
        return graph.Add("DequantizeLinear", [integer, scaleValue], bias.Name + "_dequantized", attributes, before: First(node));
    }

    private void WritePair(Value value, Use[] readers)
    {
        var (scale, zeroPoint) = Parameters(value);
        var place = value.Producer is { } producer ? producer.Next : graph.FirstNode;
        var quantized = graph.Add("QuantizeLinear", [value, scale, zeroPoint], value.Name + "_quantized", before: place);
        if (activations.Target.Bits < 8)
        {
            quantized = graph.Add("Clip", [quantized, Bound(activations.Target.Least), Bound(activations.Target.Greatest)], value.Name + "_narrowed", before: place);
        }

        var real = graph.Add("DequantizeLinear", [quantized, scale, zeroPoint], value.Name + "_dequantized", before: place);
        foreach (var reader in readers)
        {
            reader.Node.SetInput(reader.Index, real);
        }

        if (plan.ProducerOf(value) is not null && value.IsGraphOutput)
        {
            LayerNames.ReturnInstead(value, real);
        }
    }

    // Integers of fewer bits lie in bytes, which the integer kernels know, and are kept in range by a Clip of bytes.
    private Value Bound(int integer)
    {
        var name = "integer_" + integer.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return graph.Find(name) ?? graph.AddInitializer(name, Byte(integer));
    }

    private Tensor Byte(int integer) => Tensor.OfBytes(activations.Target.Type.ElementType(), new[] { (byte)integer });

    private (Value Scale, Value ZeroPoint) Parameters(Value value)
    {
        var shared = _shared.Of(value.Name);
        if (!_parameters.TryGetValue(shared[0], out var constants))
        {
            var parameters = activations.Of(shared);
            constants = (
                graph.AddInitializer(shared[0] + "_scale", Tensor.Scalar(parameters.Scale)),
                graph.AddInitializer(shared[0] + "_zero_point", Byte(parameters.ZeroPoint)));
            _parameters.Add(shared[0], constants);
        }

        return constants;
    }

    private static void RemoveIfUnused(Value constant)
    {
        if (!constant.IsUnused)
        {
            return;
        }

        if (constant.Producer is { } node)
        {
            node.Graph.Remove(node);
        }
        else
        {
            constant.Graph.SetInitializer(constant, null);
        }
    }
}
