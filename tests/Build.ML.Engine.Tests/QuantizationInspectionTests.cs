using Build.ML.Engine.Inspection;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Engine.Tests;

public sealed class QuantizationInspectionTests
{
    private const int Inputs = 32, Outputs = 16;
    private static readonly float[] Weight = [.. Enumerable.Range(0, Inputs * Outputs).Select(i => MathF.Sin(i * 1.7f))];
    private static readonly QuantizationInspection Inspection = new(new OnnxRuntimeInference());

    [Fact]
    public void A_matrix_of_floats_is_told_as_not_quantized()
    {
        using var model = Real();
        var layer = Assert.Single(Inspection.Layers(model));
        Assert.False(layer.IsQuantized);
        Assert.Equal(("product", "MatMul", "float", "float"), (layer.Layer, layer.OpType, layer.Type, layer.Activations));
        Assert.Equal(Inputs * Outputs * 4, layer.Bytes);
    }

    [Fact]
    public void A_static_int8_matrix_is_told_with_its_integer_kernel_and_its_error()
    {
        using var source = Real();
        using var model = Qdq();
        var layer = Assert.Single(Inspection.Layers(model, source));
        Assert.Equal("MatMulIntegerToFloat", layer.Kernel);
        Assert.Equal(("QDQ", "int8", 8, "channel", "u8 static"), (layer.Form, layer.Type, layer.Bits, layer.Granularity, layer.Activations));
        Assert.Equal(Inputs * Outputs + Outputs * 4 + Outputs, layer.Bytes);
        Assert.Equal(ExpectedSqnr(Int8(), (q, column) => q * Int8Scale), layer.WeightSqnrDecibels!.Value, 0.01); // float rounding of the scale
    }

    [Fact]
    public void A_blocked_4_bit_matrix_is_told_with_its_error()
    {
        using var source = Real();
        using var model = Blocked();
        var layer = Assert.Single(Inspection.Layers(model, source));
        Assert.Equal(("MatMulNBits", "MatMulNBits", 4, "block 32"), (layer.Kernel, layer.Form, layer.Bits, layer.Granularity));
        Assert.Equal(ExpectedSqnr(Int4(), (q, column) => (q - 8) / 7f), layer.WeightSqnrDecibels!.Value, 0.01);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Filters_restored_on_loading_are_told_with_their_error(bool isBlocked)
    {
        using var source = Filters(g => g.AddInitializer("w", Tensor.Of(Weight, Outputs, Inputs, 1, 1)));
        using var model = Filters(g =>
        {
            var codes = Tensor.OfBytes(DataType.Int8, Int8().Select(q => (byte)(sbyte)q).ToArray(), isBlocked ? [Outputs, 2, Inputs / 2] : [Outputs, Inputs, 1, 1]);
            var cast = g.Add("Cast", [g.AddInitializer("w_q8", codes)], "cast", [NodeAttribute.Int("to", (long)DataType.Float)]);
            var scales = Tensor.Of(Enumerable.Repeat(Int8Scale, isBlocked ? 2 * Outputs : Outputs).ToArray(), isBlocked ? [Outputs, 2, 1] : [Outputs, 1, 1, 1]);
            var product = g.Add("Mul", [cast, g.AddInitializer("w_scales", scales)], "restored");
            return isBlocked ? g.Add("Reshape", [product, g.AddInitializer("w_sizes", Tensor.Of<long>([Outputs, Inputs, 1, 1]))], "filters") : product;
        });
        var layer = Assert.Single(Inspection.Layers(model, source));
        Assert.Equal(("restored", "int8", 8, isBlocked ? "block 16" : "channel"), (layer.Form, layer.Type, layer.Bits, layer.Granularity));
        Assert.Equal(Inputs * Outputs + (isBlocked ? 8 : 4) * Outputs, layer.Bytes);
        Assert.Equal(ExpectedSqnr(Int8(), (q, column) => q * Int8Scale), layer.WeightSqnrDecibels!.Value, 0.01);

        static Model Filters(Func<OnnxGraph, Value> weight)
        {
            var graph = new OnnxGraph("filters");
            var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape([new Dimension("n"), Inputs, 5, 5])));
            var y = graph.Add("Conv", [x, weight(graph)], "product");
            y.Type = new TensorType(DataType.Float, new Shape([new Dimension("n"), Outputs, 5, 5]));
            graph.AddOutput(y);
            return new Model(graph);
        }
    }

    [Fact]
    public void A_matrix_restored_on_loading_is_told_with_its_error()
    {
        using var source = Real();
        var graph = new OnnxGraph("unpacked");
        var integers = graph.AddInitializer("w_quantized", Tensor.Of<byte>([.. Int8().Select(q => (byte)(q + 128))], Inputs, Outputs));
        var scale = graph.AddInitializer("w_scale", Tensor.Of<float>([.. Enumerable.Repeat(Int8Scale, Outputs)], Outputs));
        var zero = graph.AddInitializer("w_zero", Tensor.Of<float>([.. Enumerable.Repeat(128f, Outputs)], Outputs));
        var centred = graph.Add("Sub", [graph.Add("Cast", [integers], "cast", [NodeAttribute.Int("to", (long)DataType.Float)]), zero], "centred");
        using var model = Return(graph, graph.Add("MatMul", [Input(graph), graph.Add("Mul", [centred, scale], "wr")], "product"));
        var layer = Assert.Single(Inspection.Layers(model, source));
        Assert.Equal(("restored", "uint8", 8, "channel", "float"), (layer.Form, layer.Type, layer.Bits, layer.Granularity, layer.Activations));
        Assert.Equal(Inputs * Outputs + 2 * Outputs * 4, layer.Bytes);
        Assert.Equal(ExpectedSqnr(Int8(), (q, column) => q * Int8Scale), layer.WeightSqnrDecibels!.Value, 0.01);
    }

    [Fact]
    public void A_weight_that_the_source_does_not_have_has_no_error_told()
    {
        using var source = Real("other");
        using var model = Qdq();
        Assert.Null(Assert.Single(Inspection.Layers(model, source)).WeightSqnrDecibels);
    }

    private const float Int8Scale = 1 / 127f;

    private static int[] Int8() => [.. Weight.Select(w => (int)MathF.Round(w / Int8Scale))];

    private static int[] Int4() => [.. Weight.Select(w => Math.Clamp((int)MathF.Round(w * 7) + 8, 0, 15))];

    private static double ExpectedSqnr(int[] integers, Func<int, int, float> real)
    {
        double signal = 0, noise = 0;
        for (var i = 0; i < integers.Length; i++)
        {
            signal += (double)Weight[i] * Weight[i];
            noise += Math.Pow((double)Weight[i] - real(integers[i], i % Outputs), 2);
        }

        return 10 * Math.Log10(signal / noise);
    }

    private static Model Real(string name = "w")
    {
        var graph = new OnnxGraph("real");
        return Return(graph, graph.Add("MatMul", [Input(graph), graph.AddInitializer(name, Tensor.Of(Weight, Inputs, Outputs))], "product"));
    }

    private static Model Qdq()
    {
        var graph = new OnnxGraph("qdq");
        var scale = graph.AddInitializer("x_scale", Tensor.Scalar(0.02f));
        var zero = graph.AddInitializer("x_zero", Tensor.Scalar<byte>(128));
        var x = graph.Add("DequantizeLinear", [graph.Add("QuantizeLinear", [Input(graph), scale, zero], "xq"), scale, zero], "xd");
        var w = graph.Add(
            "DequantizeLinear",
            [
                graph.AddInitializer("w_quantized", Tensor.Of<sbyte>([.. Int8().Select(q => (sbyte)q)], Inputs, Outputs)),
                graph.AddInitializer("w_scale", Tensor.Of<float>([.. Enumerable.Repeat(Int8Scale, Outputs)], Outputs)),
                graph.AddInitializer("w_zero", Tensor.Of<sbyte>(new sbyte[Outputs], Outputs)),
            ],
            "wd",
            [NodeAttribute.Int("axis", 1)]);
        return Return(graph, graph.Add("MatMul", [x, w], "product"));
    }

    private static Model Blocked()
    {
        var integers = Int4();
        var packed = new byte[Outputs * Inputs / 2]; // row = output; two inputs a byte, low bits first
        for (var o = 0; o < Outputs; o++)
        {
            for (var i = 0; i < Inputs; i++)
            {
                packed[(o * Inputs + i) / 2] |= (byte)(integers[i * Outputs + o] << (i % 2 * 4));
            }
        }

        var graph = new OnnxGraph("blocked");
        var y = graph.Add(
            "MatMulNBits",
            [Input(graph), graph.AddInitializer("w_q4", Tensor.Of(packed, Outputs, 1, Inputs / 2)), graph.AddInitializer("w_scales", Tensor.Of<float>([.. Enumerable.Repeat(1 / 7f, Outputs)], Outputs))],
            "product",
            [NodeAttribute.Int("K", Inputs), NodeAttribute.Int("N", Outputs), NodeAttribute.Int("bits", 4), NodeAttribute.Int("block_size", 32), NodeAttribute.Int("accuracy_level", 4)],
            "com.microsoft");
        var model = Return(graph, y);
        model.OperatorSets["com.microsoft"] = 1;
        return model;
    }

    private static Value Input(OnnxGraph graph) => graph.AddInput("x", new TensorType(DataType.Float, new Shape([new Dimension("n"), Inputs])));

    private static Model Return(OnnxGraph graph, Value y)
    {
        y.Type = new TensorType(DataType.Float, new Shape([new Dimension("n"), Outputs]));
        graph.AddOutput(y);
        return new Model(graph);
    }
}
