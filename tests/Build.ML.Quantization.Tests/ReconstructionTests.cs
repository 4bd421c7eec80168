using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.Tests;

/// <summary>What <c>quantize.static</c> does beyond rounding to the nearest 8-bit integer.</summary>
public sealed class ReconstructionTests
{
    private static readonly NormalData Images = new(24, 3, 16, 16);

    [Theory]
    [InlineData(ActivationRounding.None)]
    [InlineData(ActivationRounding.Int8)]
    public void Learnt_rounding_of_4_bit_weights_beats_the_nearest(ActivationRounding activations)
    {
        var options = new StaticQuantization.Options { Data = Step.Data, WeightBits = 4, Activations = activations };
        var nearest = Sqnr(options);
        var learnt = Sqnr(options with { Rounding = WeightRounding.Adaround, Adaround = new() { Iterations = 500 } });

        // On inputs other than those learnt from. A quarter of the noise's power gone is 1.2 dB.
        Assert.InRange(learnt - nearest, 1.2, 20);
    }

    [Fact]
    public void Corrected_biases_keep_the_mean_of_every_channel()
    {
        using var real = Models.Residual(21);
        using var plain = Models.Residual(21);
        using var corrected = Models.Residual(21);
        var options = new StaticQuantization.Options { Data = Step.Data, WeightBits = 3, Activations = ActivationRounding.None };
        new StaticQuantization().Apply(plain, options, Step.Context(Images));
        new StaticQuantization().Apply(corrected, options with { BiasCorrection = true }, Step.Context(Images));
        foreach (var layer in new[] { "stem", "inner", "outer", "swish", "last" })
        {
            var expected = Means(real, layer);
            double Error(Model model) => Math.Sqrt(Means(model, layer).Zip(expected, (a, b) => Math.Pow(a - b, 2)).Average());

            // Exact on the calibration data but for single precision; without correction 3-bit weights move means by several per cent of the activations' size.
            Assert.InRange(Error(corrected), 0, 2e-5);
            Assert.True(Error(plain) > 100 * Error(corrected));
        }
    }

    [Fact]
    public void A_layer_without_bias_gets_one()
    {
        using var model = Models.Residual(21);
        var conv = model.AllNodes.First(n => n.OpType == "Conv");
        conv.SetInputs([conv.Inputs[0], conv.Inputs[1]]);
        new StaticQuantization().Apply(model, new() { Data = Step.Data, WeightBits = 3, BiasCorrection = true }, Step.Context(Images));
        Assert.Contains(model.AllNodes.First(n => n.OpType == "Conv").Inputs[2]!.Producer!.Inputs[0]!.Constant!.ToArray<int>(), b => b != 0);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Weights_of_few_bits_run_in_integer_kernels(int bits)
    {
        using var model = Models.Residual(21);
        using var eight = Models.Residual(21);
        new StaticQuantization().Apply(eight, new() { Data = Step.Data }, Step.Context(Images));
        var result = new StaticQuantization().Apply(model, new() { Data = Step.Data, WeightBits = bits }, Step.Context(Images));
        var kernels = new OnnxRuntimeInference().Profile(model, [[new("", Numbers.Tensor(80, 1, 1, 3, 16, 16))]]).Nodes.Select(n => n.OpType).ToArray();
        Assert.Equal(5, kernels.Count(k => k == "QLinearConv"));
        Assert.Equal(1, kernels.Count(k => k == "QGemm"));
        Assert.DoesNotContain("Cast", kernels);
        Assert.All(result.Layers.Where(l => l.OpType == "Conv"), l => Assert.Equal(bits, l.Figures.Single(f => f.Key == "bits").Value));

        // 18,864 weights of convolutions and 320 of the classifier, half a byte each instead of one.
        Assert.Equal((18_864 + 320) / 2, Bytes(eight) - Bytes(model));

        static long Bytes(Model m) => m.Graph.Initializers.Where(i => i.ElementType is DataType.Int4 or DataType.Int8 && i.Shape!.Rank > 1).Sum(i => i.Initializer!.ByteLength);
    }

    [Fact]
    public void Low_bit_scales_are_better_than_the_widest()
    {
        // 4-bit: −8 to 7. Normal weights have 0.3 σ steps under the best scale and 0.5 σ under the widest of some 10,000 weights.
        using var model = Models.Residual(21);
        var result = new StaticQuantization().Apply(model, new() { Data = Step.Data, WeightBits = 4 }, Step.Context(Images));
        var sqnr = result.Layers.Single(l => l.Layer == "last").Figures.Single(f => f.Key == "weight_sqnr_db").Value;

        // 20.2 dB is the least error of any uniform 4-bit quantizer of normal numbers (Max 1960: 0.01154 of the power); 288 weights a channel allow a little better.
        Assert.InRange(sqnr, 19.5, 21);
    }

    [Fact]
    public void Weights_alone_leave_the_runtime_its_fast_float_kernels()
    {
        using var model = Models.Residual(21);
        using var real = Models.Residual(21);
        new StaticQuantization().Apply(model, new() { Data = Step.Data, Activations = ActivationRounding.None }, Step.Context(Images));
        Assert.Equal(Kernels(real), Kernels(model));

        static string[] Kernels(Model m) =>
            [.. new OnnxRuntimeInference().Profile(m, [[new("", Numbers.Tensor(80, 1, 1, 3, 16, 16))]]).Nodes.Select(n => n.OpType).Order()];
    }

    [Theory]
    [InlineData(QuantizedType.U8)]
    [InlineData(QuantizedType.S8)]
    public void Weights_alone_stand_for_what_their_integers_say(QuantizedType type)
    {
        using var model = Models.Perceptron();
        var real = model.Graph.Find("w1")!.Constant!.ToArray<float>();
        new StaticQuantization().Apply(
            model, new() { Data = Step.Data, Activations = ActivationRounding.None, WeightType = type, OpTypes = ["MatMul"] }, Step.Context(new NormalData(4, 48)));
        var weight = model.AllNodes.Single(n => n.OpType == "MatMul").Inputs[1]!;
        model.Graph.AddOutput(weight);
        weight.Type = new TensorType(DataType.Float, new Shape(48, 64));
        using var session = new OnnxRuntimeInference().Open(model);
        var dequantized = session.Run([new("", Numbers.Tensor(1, 1, 1, 48))])[1].ToArray<float>();

        // Half a step of the widest channel: 0.15·3.5·2/255 either side.
        Assert.All(real.Zip(dequantized), p => Assert.Equal(p.First, p.Second, 0.003));
    }

    [Fact]
    public void Few_bits_need_operator_set_21_and_signed_weights()
    {
        using var model = Models.Residual();
        var options = new StaticQuantization.Options { Data = Step.Data, WeightBits = 4 };
        var error = Assert.Throws<DiagnosticException>(() => new StaticQuantization().Apply(model, options, Step.Context(Images)));
        Assert.Equal("BML5404", error.Diagnostics[0].Code);
        Assert.Single((options with { WeightType = QuantizedType.U8 }).Validate(new System.ComponentModel.DataAnnotations.ValidationContext(options)));
    }

    private static double Sqnr(StaticQuantization.Options options)
    {
        using var model = Models.Residual(21);
        var input = Numbers.Tensor(83, 1, 32, 3, 16, 16);
        var expected = Step.Run(model, input);
        new StaticQuantization().Apply(model, options, Step.Context(Images));
        return Step.Sqnr(expected, Step.Run(model, input));
    }

    private static double[] Means(Model model, string value)
    {
        using var session = new OnnxRuntimeInference().Open(model, new() { ExtraOutputs = [value] });
        var sums = new List<double[]>();
        foreach (var batch in Images.Batches(Images.Count))
        {
            var output = session.Run(batch.Inputs)[1];
            var (channels, size) = ((int)output.Sizes[1], (int)(output.Sizes[2] * output.Sizes[3]));
            var values = output.ToArray<float>();
            sums.Add([.. Enumerable.Range(0, channels).Select(c =>
                Enumerable.Range(0, batch.Count).Average(n => Enumerable.Range(0, size).Average(i => (double)values[(n * channels + c) * size + i])))]);
        }

        return sums[0];
    }
}
