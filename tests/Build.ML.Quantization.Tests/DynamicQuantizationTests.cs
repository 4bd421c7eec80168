using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.Dynamic;

namespace Build.ML.Quantization.Tests;

public sealed class DynamicQuantizationTests
{
    [Theory]
    [InlineData(QuantizedType.S8, Granularity.PerChannel, false)]
    [InlineData(QuantizedType.S8, Granularity.PerTensor, false)]
    [InlineData(QuantizedType.U8, Granularity.PerChannel, false)]
    [InlineData(QuantizedType.S8, Granularity.PerChannel, true)]
    public void Outputs_stay_near_those_of_the_float_model(QuantizedType type, Granularity granularity, bool reduceRange)
    {
        using var model = Models.Perceptron();
        var input = Numbers.Tensor(70, 1, 16, 48);
        var expected = Step.Run(model, input);
        var result = new DynamicQuantization().Apply(
            model, new() { WeightType = type, Granularity = granularity, ReduceRange = reduceRange }, Step.Context());

        // Two products, each with about 0.5 % of noise from 8-bit activations and weights: some 40 dB; 7 bits cost 6 dB of the weights' part.
        Assert.InRange(Step.Sqnr(expected, Step.Run(result.Model, input)), reduceRange ? 33 : 36, 80);
        Assert.Equal(["quantized", "quantized"], result.Layers.Select(l => l.Outcome));
        Assert.DoesNotContain(model.AllNodes, n => n.OpType is "MatMul" or "Gemm");
    }

    [Fact]
    public void The_integer_product_equals_a_reference_in_double_precision()
    {
        using var model = new Model(new OnnxGraph("product"), 17) { IrVersion = 8 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 33)));
        var weight = Numbers.Tensor(71, 0.5, 33, 20);
        var y = model.Graph.Add("MatMul", [x, model.Graph.AddInitializer("w", weight)], "y");
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        var input = Numbers.Normal(72, 5 * 33, 1);
        new DynamicQuantization().Apply(model, new(), Step.Context());
        var actual = Step.Run(model, Tensor.Of(input, 5, 33));

        // DynamicQuantizeLinear by its definition, over the whole input.
        double low = Math.Min(input.Min(), 0), high = Math.Max(input.Max(), 0);
        var scale = (float)((high - low) / 255);
        var zero = (int)Math.Round(-low / scale);
        var w = weight.ToArray<float>();
        for (var column = 0; column < 20; column++)
        {
            var weightScale = Enumerable.Range(0, 33).Max(k => Math.Abs(w[k * 20 + column])) / 127.0;
            for (var row = 0; row < 5; row++)
            {
                double sum = 0;
                for (var k = 0; k < 33; k++)
                {
                    var a = Math.Clamp(Math.Round(input[row * 33 + k] / (double)scale) + zero, 0, 255) - zero;
                    sum += a * Math.Round(w[k * 20 + column] / weightScale);
                }

                // Integers agree but for ties that fall elsewhere in single precision: at most one of 33 terms, off by one weight step.
                Assert.Equal(sum * scale * weightScale, actual[row * 20 + column], scale * weightScale * 128);
            }
        }
    }

    [Fact]
    public void ONNX_Runtime_fuses_the_product_into_one_kernel()
    {
        using var model = Models.Perceptron();
        new DynamicQuantization().Apply(model, new(), Step.Context());
        var profile = new OnnxRuntimeInference().Profile(model, [[new("", Numbers.Tensor(73, 1, 4, 48))]]);
        Assert.Equal(2, profile.Nodes.Count(n => n.OpType is "DynamicQuantizeMatMul" or "MatMulIntegerToFloat"));
        Assert.DoesNotContain(profile.Nodes, n => n.OpType == "MatMulInteger");
    }

    [Theory]
    [InlineData(QuantizedType.S8, Granularity.PerChannel)]
    [InlineData(QuantizedType.U8, Granularity.PerChannel)]
    [InlineData(QuantizedType.U8, Granularity.PerTensor)]
    public void Embeddings_are_looked_up_as_integers(QuantizedType type, Granularity granularity)
    {
        using var model = new Model(new OnnxGraph("embedding"), 17) { IrVersion = 8 };
        var ids = model.Graph.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"))));
        var table = Numbers.Tensor(74, 1, 50, 24);
        var y = model.Graph.Add("Gather", [model.Graph.AddInitializer("table", table), ids], "y");
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        new DynamicQuantization().Apply(model, new() { WeightType = type, Granularity = granularity }, Step.Context());
        var rows = Step.Run(model, Tensor.Of([49L, 0, 7], 3));
        var expected = table.ToArray<float>();
        foreach (var (row, id) in new[] { (0, 49), (1, 0), (2, 7) })
        {
            for (var i = 0; i < 24; i++)
            {
                // Half a step of at most (4 + 4)/255, and as much again for the zero point.
                Assert.Equal(expected[id * 24 + i], rows[row * 24 + i], 8.0 / 255);
            }
        }
    }

    [Fact]
    public void Files_are_the_same_whatever_the_number_of_threads()
    {
        using var folder = new TemporaryFolder();
        byte[]? expected = null;
        foreach (var threads in new[] { 1, 2 })
        {
            using var model = Models.Perceptron();
            new DynamicQuantization().Apply(model, new(), Step.Context(threads: threads)).Model.Save(folder.PathOf("model.onnx"));
            var bytes = File.ReadAllBytes(folder.PathOf("model.onnx"));
            expected ??= bytes;
            Assert.Equal(expected, bytes);
        }
    }

    [Fact]
    public void Excluded_layers_are_left_and_named_with_the_reason()
    {
        using var model = Models.Perceptron();
        var result = new DynamicQuantization().Apply(model, new() { Exclude = ["w2"] }, Step.Context());
        Assert.Equal("excluded by 'w2'", Assert.Single(result.Layers, l => l.Outcome == "left").Reason);
        Assert.Contains(model.AllNodes, n => n.OpType == "Gemm");
        Assert.DoesNotContain(model.AllNodes, n => n.OpType == "MatMul");
    }

    [Fact]
    public void Every_pattern_that_fits_nothing_is_an_error()
    {
        using var model = Models.Perceptron();
        var error = Assert.Throws<DiagnosticException>(
            () => new DynamicQuantization().Apply(model, new() { Include = ["nothing*"], Exclude = ["frist"] }, Step.Context()));
        Assert.Equal(["BML5401", "BML5401"], error.Diagnostics.Select(d => d.Code));
    }

    [Fact]
    public void An_old_operator_set_is_an_error_that_says_what_to_do()
    {
        using var model = Models.Perceptron(opset: 9);
        var error = Assert.Throws<DiagnosticException>(() => new DynamicQuantization().Apply(model, new(), Step.Context()));
        Assert.Equal("BML5404", error.Diagnostics[0].Code);
        Assert.Contains("optimize.graph", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_operator_it_does_not_know_is_an_error()
    {
        using var model = Models.Perceptron();
        var error = Assert.Throws<DiagnosticException>(() => new DynamicQuantization().Apply(model, new() { OpTypes = ["Conv"] }, Step.Context()));
        Assert.Equal("BML5402", error.Diagnostics[0].Code);
    }
}
