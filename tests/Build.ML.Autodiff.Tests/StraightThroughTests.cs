using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>Fake quantization: the gradient passes where the value is within what the integers reach.</summary>
public sealed class StraightThroughTests
{
    [Fact]
    public void A_gradient_passes_within_the_range_and_is_zero_outside()
    {
        // scale 0.5, zero point 3 of int8: from (−128 − 3)/2 = −65.5 to (127 − 3)/2 = 62
        float[] x = [-66, -65.4f, -1, 0.3f, 61.9f, 63];
        Assert.Equal([0, 2, 2, 2, 2, 0], Gradient(x, [6], Tensor.Scalar(0.5f), Tensor.Scalar((sbyte)3)));
    }

    [Fact]
    public void A_scale_per_channel_gives_a_range_per_channel()
    {
        // [2, 3], axis 0: uint8 without zero points reaches from 0 to 255·scale
        float[] x = [-1, 10, 300, -1, 10, 300];
        Assert.Equal([0, 2, 0, 0, 2, 2], Gradient(x, [2, 3], Tensor.Of([1f, 2f], 2), Tensor.Of([(byte)0, (byte)0], 2), NodeAttribute.Int("axis", 0)));
    }

    [Fact]
    public void A_scale_per_block_gives_a_range_per_block()
    {
        // [1, 4], blocks of 2: int8 reaches ±127·scale
        float[] x = [120, 130, 130, 300];
        Assert.Equal([2, 0, 2, 0], Gradient(x, [1, 4], Tensor.Of([1f, 2f], 1, 2), Tensor.Of([(sbyte)0, (sbyte)0], 1, 2), NodeAttribute.Int("axis", 1), NodeAttribute.Int("block_size", 2)));
    }

    static float[] Gradient(float[] x, long[] sizes, Tensor scale, Tensor zeroPoint, params NodeAttribute[] attributes)
    {
        using var model = new Model(opset: 21);
        Value Add(string opType, params Value[] inputs)
        {
            var value = model.Graph.Add(opType, inputs, opType);
            foreach (var attribute in attributes)
                value.Producer!.SetAttribute(attribute);
            return value;
        }
        var (s, z) = (model.Graph.AddInitializer("scale", scale), model.Graph.AddInitializer("zero", zeroPoint));
        var quantized = Add("QuantizeLinear", model.Graph.AddInitializer("x", Tensor.Of(x, sizes)), s, z);
        model.Graph.AddOutput(Add("DequantizeLinear", quantized, s, z));

        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { Trainable = v => v.Name == "x" });
        using var training = builder.Differentiate(builder.Ops.Mul(builder.Ops.Total(builder.Outputs[0]), 2));
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var results = session.Outputs.Zip(session.Run([KeyValuePair.Create("x", Tensor.Of(x, sizes))])).ToDictionary(p => p.First, p => p.Second);
        return results[training.Parameters[0].Gradient].ToArray<float>();
    }
}
