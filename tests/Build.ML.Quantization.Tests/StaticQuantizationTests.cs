using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.Tests;

public sealed class StaticQuantizationTests
{
    private static readonly NormalData Images = new(24, 3, 16, 16);

    public static TheoryData<string> Calibrators() => ["min_max", "percentile", "entropy", "mse"];

    [Theory]
    [MemberData(nameof(Calibrators))]
    public void Outputs_stay_near_those_of_the_float_model(string calibrator)
    {
        var (expected, actual, _) = Quantize(new() { Data = Step.Data, Calibrator = calibrator });

        // Six layers deep with 8-bit activations: each adds about 0.5 % of noise, some 30 dB in all.
        Assert.InRange(Step.Sqnr(expected, actual), 24, 60);
    }

    [Theory]
    [InlineData(QuantizedType.S8, QuantizedType.U8, false, false)]
    [InlineData(QuantizedType.U8, QuantizedType.U8, false, false)]
    [InlineData(QuantizedType.S8, QuantizedType.S8, true, false)]
    [InlineData(QuantizedType.S8, QuantizedType.U8, false, true)]
    public void All_integer_types_give_near_outputs(QuantizedType weights, QuantizedType activations, bool symmetric, bool reduceRange)
    {
        var (expected, actual, _) = Quantize(
            new() { Data = Step.Data, WeightType = weights, ActivationType = activations, ActivationSymmetric = symmetric, ReduceRange = reduceRange });

        // As above; symmetric activations after a ReLU and 7-bit weights waste a bit, 6 dB.
        Assert.InRange(Step.Sqnr(expected, actual), symmetric || reduceRange ? 18 : 24, 60);
    }

    [Fact]
    public void ONNX_Runtime_fuses_every_layer_into_an_integer_kernel()
    {
        using var model = Models.Residual();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var kernels = new OnnxRuntimeInference().Profile(model, [[new("", Numbers.Tensor(80, 1, 1, 3, 16, 16))]]).Nodes.Select(n => n.OpType).ToArray();
        Assert.Equal(5, kernels.Count(k => k == "QLinearConv"));
        Assert.Equal(1, kernels.Count(k => k == "QLinearAdd"));
        Assert.Equal(1, kernels.Count(k => k == "QLinearGlobalAveragePool"));
        Assert.Equal(1, kernels.Count(k => k == "QGemm"));
        Assert.DoesNotContain("Conv", kernels);
        Assert.DoesNotContain("FusedConv", kernels);
        Assert.DoesNotContain("Relu", kernels);
    }

    [Fact]
    public void Between_branches_nothing_becomes_real_again()
    {
        using var model = Models.Branches();
        var input = Numbers.Tensor(84, 1, 8, 3, 16, 16);
        var expected = Step.Run(model, input);
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var kernels = new OnnxRuntimeInference().Profile(model, [[new("", Numbers.Tensor(80, 1, 1, 3, 16, 16))]]).Nodes.Select(n => n.OpType).ToArray();
        Assert.Equal(1, kernels.Count(k => k == "QuantizeLinear")); // the input
        Assert.Equal(1, kernels.Count(k => k == "DequantizeLinear")); // the output
        Assert.Equal(3, kernels.Count(k => k == "QLinearConv"));
        Assert.Subset(
            new HashSet<string> { "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearAdd", "QLinearAveragePool", "QLinearConcat", "MaxPool", "NhwcMaxPool", "Resize", "Pad", "Transpose" },
            kernels.ToHashSet());

        // Three convolutions deep, otherwise as the residual network.
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 28, 60);
    }

    [Fact]
    public void What_is_concatenated_shares_a_scale()
    {
        using var model = Models.Branches();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var shared = new[] { "pooled", "largest", "joined", "resized" }.Select(v => ParametersOf(model, v)).Distinct().ToArray();
        Assert.Single(shared);

        // It holds the wider of both: the maximum of first_relu is largest's too.
        Assert.Equal(ParametersOf(model, "first_relu"), shared[0]);
    }

    [Fact]
    public void Runtime_kernels_agree_with_the_definition_of_each_quantized_operator()
    {
        using var model = Models.Residual();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var input = Numbers.Tensor(81, 1, 4, 3, 16, 16);
        using var defined = new OnnxRuntimeInference().Open(model, new() { Optimize = false });
        var reference = defined.Run([new("", input)])[0].ToArray<float>();

        // Unfused, each operator runs in float between its DequantizeLinear and QuantizeLinear. Fused, sums are exact integers, so a value near a tie may round to the
        // neighbouring integer: noise far below that of quantization itself (24 dB and more).
        Assert.InRange(Step.Sqnr(reference, Step.Run(model, input)), 35, 200);
    }

    [Fact]
    public void A_bias_has_the_product_of_the_scales()
    {
        using var model = Models.Residual();
        var bias = model.Graph.Find("stem_b")!.Constant!.ToArray<float>();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var conv = model.AllNodes.First(n => n.OpType == "Conv");
        var input = Scales(conv.Inputs[0]!)[0];
        var weights = Scales(conv.Inputs[1]!);
        var biases = Scales(conv.Inputs[2]!);
        var integers = conv.Inputs[2]!.Producer!.Inputs[0]!.Constant!.ToArray<int>();
        for (var c = 0; c < bias.Length; c++)
        {
            Assert.Equal(input * weights[c], biases[c]);
            Assert.Equal(bias[c], integers[c] * biases[c], biases[c] * 0.501);
        }

        static float[] Scales(Value real) => real.Producer!.Inputs[1]!.Constant!.ToArray<float>();
    }

    [Fact]
    public void A_large_bias_on_a_channel_of_tiny_weights_does_not_overflow()
    {
        using var model = new Model(new OnnxGraph("dead"), 17) { IrVersion = 8 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 1, 4, 4)));
        var weight = Tensor.Of(new[] { 1e-20f, 0.5f }, 2, 1, 1, 1);
        var y = model.Graph.Add("Conv", [x, model.Graph.AddInitializer("w", weight), model.Graph.AddInitializer("b", Tensor.Of(new[] { 3f, 0f }, 2))], "y");
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(new NormalData(4, 1, 4, 4)));
        var output = Step.Run(model, Numbers.Tensor(82, 1, 1, 1, 4, 4));

        // 3 is the greatest output on the calibration data, so it is exact to half a step of about 5/255.
        Assert.All(output[..16], v => Assert.Equal(3, v, 0.02));
    }

    [Fact]
    public void Values_below_the_corner_of_a_hard_swish_take_no_integers()
    {
        using var model = Models.Residual();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        var (scale, zeroPoint) = ParametersOf(model, "swish");
        Assert.InRange((0 - zeroPoint) * scale, -3.02, 0);
    }

    [Fact]
    public void What_only_moves_integers_shares_its_inputs_scale()
    {
        using var model = Models.Residual();
        new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images));
        Assert.Equal(ParametersOf(model, "sum"), ParametersOf(model, "pooled"));
    }

    [Fact]
    public void Files_are_the_same_whatever_the_number_of_threads()
    {
        using var folder = new TemporaryFolder();
        byte[]? expected = null;
        foreach (var threads in new[] { 1, 2 })
        {
            using var model = Models.Residual();
            new StaticQuantization().Apply(model, new() { Data = Step.Data, Calibrator = "entropy" }, Step.Context(Images, threads)).Model.Save(folder.PathOf("m.onnx"));
            var bytes = File.ReadAllBytes(folder.PathOf("m.onnx"));
            expected ??= bytes;
            Assert.Equal(expected, bytes);
        }
    }

    [Theory]
    [InlineData(SensitivityFallback.WeightOnly, "weight_only", 0.7)] // weights make half of the noise: with all activations real, 1.3 dB are won
    [InlineData(SensitivityFallback.Float, "left", 4)]
    public void Layers_are_taken_out_until_the_target_holds(SensitivityFallback fallback, string outcome, double gain)
    {
        var (expected, before, _) = Quantize(new() { Data = Step.Data });
        var target = Step.Sqnr(expected, before) + gain;
        var (_, after, result) = Quantize(
            new() { Data = Step.Data, Sensitivity = new() { Target = target, Fallback = fallback, Samples = 24 } });
        var taken = result.Layers.Where(l => l.Outcome == outcome).ToArray();
        Assert.InRange(taken.Length, 1, 5);
        Assert.All(taken, l => Assert.StartsWith("sensitive", l.Reason, StringComparison.Ordinal));

        // The target was reached on the calibration data; the test images are others of the same distribution: half of the gain must show there too.
        Assert.InRange(Step.Sqnr(expected, after), target - gain / 2, 80);

        // The ones taken out are those that disturb most.
        double Alone(Abstractions.Techniques.LayerOutcome l) => l.Figures.Single(f => f.Key == "output_sqnr_db").Value;
        var others = result.Layers.Where(l => l.Outcome == "quantized" && l.Figures.Any(f => f.Key == "output_sqnr_db"));
        Assert.True(taken.Max(Alone) <= others.Min(Alone));
    }

    [Fact]
    public void The_report_says_whether_sums_saturate_on_this_machine()
    {
        var exact = System.Runtime.Intrinsics.X86.Avx2.IsSupported && !System.Runtime.Intrinsics.X86.AvxVnni.IsSupported
            && !System.Runtime.Intrinsics.X86.Avx512Vbmi.IsSupported ? "saturate (" : "are exact;"; // no test for AVX-512 VNNI: processors with VBMI but the first have it
        var (_, _, result) = Quantize(new() { Data = Step.Data });
        Assert.Contains(result.Notes, n => n.Contains("sums of u8·s8 products " + exact, StringComparison.Ordinal));
        var (_, _, reduced) = Quantize(new() { Data = Step.Data, ReduceRange = true });
        Assert.Empty(reduced.Notes);
    }

    [Theory]
    [InlineData(Direction.HigherIsBetter)]
    [InlineData(Direction.LowerIsBetter)]
    public void What_harms_the_recipes_own_metric_is_taken_out(Direction direction)
    {
        // A model whose answers suffer from two nodes in integers, one of them the residual addition.
        var sign = direction == Direction.HigherIsBetter ? -1 : 1;
        var asked = new List<string>();
        var context = Step.Context(Images) with
        {
            Evaluate = (model, data, metrics) =>
            {
                asked.Add($"{data.Name} {metrics.Single().Name}");
                return [new("score", 0.5 + sign * ((HasIntegerWeight(model, "inner") ? 0.1 : 0) + (IsRounded(model, "sum") ? 0.2 : 0)), "ratio", direction)];
            },
        };
        using var model = Models.Residual();
        var sensitivity = new Sensitivity { By = new("score"), Within = 0.05, On = new("labelled"), Fallback = SensitivityFallback.Float };
        var result = new StaticQuantization().Apply(model, new() { Data = Step.Data, Sensitivity = sensitivity }, context);
        Assert.Equal(["inner", "sum"], result.Layers.Where(l => l.Outcome == "left").Select(l => l.Layer));
        Assert.Equal(["labelled score"], asked.Distinct());
        Assert.Contains(result.Notes, n => n.StartsWith("Sensitivity: 2 layers taken out; score 0.5", StringComparison.Ordinal));

        static bool HasIntegerWeight(Model m, string layer) => m.Graph.Find(layer)!.Producer!.Inputs[1]!.Producer?.OpType == "DequantizeLinear";

        static bool IsRounded(Model m, string value) => m.Graph.Find(value)!.Uses.Any(u => u.Node.OpType == "QuantizeLinear");
    }

    [Fact]
    public void Layers_in_subgraphs_are_left_with_a_reason()
    {
        using var model = WithSubgraphs();
        var result = new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(new WithCondition(Images)));
        var left = result.Layers.Single(l => l.Layer == "branch_product");
        Assert.Equal(("left", "it is in a subgraph of If, whose activations calibration does not see"), (left.Outcome, left.Reason));
        Assert.Equal(6, result.Layers.Count(l => l.OpType is "Conv" or "Gemm" && l.Outcome == "quantized"));
    }

    [Theory]
    [InlineData(WeightRounding.Nearest)]
    [InlineData(WeightRounding.Adaround)]
    public void Weights_alone_are_quantized_in_subgraphs_too(WeightRounding rounding)
    {
        using var model = WithSubgraphs();
        var input = new WithCondition(Images).Batches(1).First().Inputs;
        using var before = new OnnxRuntimeInference().Open(model);
        var expected = before.Run(input)[1].ToArray<float>();
        var options = new StaticQuantization.Options { Data = Step.Data, Activations = ActivationRounding.None, Rounding = rounding, Adaround = new() { Iterations = 10 } };
        var result = new StaticQuantization().Apply(model, options, Step.Context(new WithCondition(Images)));
        Assert.Equal("weight_only", result.Layers.Single(l => l.Layer == "branch_product").Outcome);
        Assert.DoesNotContain(model.AllNodes, n => n.Graph != model.Graph && n.Inputs.Any(i => i?.Constant is { Rank: 2 }));
        using var after = new OnnxRuntimeInference().Open(model);

        // 8-bit weights through seven layers: 40 dB each.
        Assert.InRange(Step.Sqnr(expected, after.Run(input)[1].ToArray<float>()), 28, 80);
    }

    // The residual network and, where a condition says so, one more product in a branch.
    private static Model WithSubgraphs()
    {
        var model = Models.Residual();
        var graph = model.Graph;
        graph.Inputs[0].Type = new TensorType(DataType.Float, new Shape(1, 3, 16, 16)); // one sample at a time, as the condition is one
        var branch = new OnnxGraph("branch");
        var other = new OnnxGraph("other");
        var condition = graph.AddInput("condition", new TensorType(DataType.Bool, new Shape(1)));
        var chosen = graph.Add("If", [condition], "chosen", [NodeAttribute.Graph("then_branch", branch), NodeAttribute.Graph("else_branch", other)]);
        branch.AddOutput(branch.Add("MatMul", [graph.Find("y"), branch.AddInitializer("inner_w", Numbers.Tensor(70, 0.3, 10, 10))], "branch_product"));
        other.AddOutput(other.Add("MatMul", [graph.Find("y"), other.AddInitializer("inner_w", Numbers.Tensor(71, 3, 10, 10))], "other_product")); // another weight of that name
        chosen.Type = new TensorType(DataType.Float);
        graph.AddOutput(chosen);
        return model;
    }

    private sealed class WithCondition(NormalData images) : Abstractions.Data.DataSet
    {
        public override int Count => images.Count;

        public override Abstractions.Data.Sample this[int index] =>
            new([new("x", images[index].Inputs[0].Value), new("condition", Tensor.Scalar(true))], Abstractions.Data.Label.None);
    }

    [Fact]
    public void A_target_out_of_reach_is_an_error()
    {
        var error = Assert.Throws<DiagnosticException>(() => Quantize(new() { Data = Step.Data, Sensitivity = new() { Target = 150 } }));
        Assert.Equal("BML5408", error.Diagnostics[0].Code);
    }

    [Theory]
    [InlineData("nosuch", "BML5409")]
    [InlineData("min_max", "BML5407")]
    public void A_wrong_calibrator_and_empty_data_are_errors(string calibrator, string code)
    {
        using var model = Models.Residual();
        var error = Assert.Throws<DiagnosticException>(
            () => new StaticQuantization().Apply(model, new() { Data = Step.Data, Calibrator = calibrator }, Step.Context(new NormalData(0, 3, 16, 16))));
        Assert.Equal(code, error.Diagnostics[0].Code);
    }

    [Fact]
    public void Per_channel_scales_need_operator_set_13()
    {
        using var model = Models.Residual(opset: 12);
        var error = Assert.Throws<DiagnosticException>(() => new StaticQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(Images)));
        Assert.Equal("BML5404", error.Diagnostics[0].Code);
    }

    private static (float[] Expected, float[] Actual, Abstractions.Techniques.StepResult Result) Quantize(StaticQuantization.Options options)
    {
        using var model = Models.Residual();
        var input = Numbers.Tensor(83, 1, 32, 3, 16, 16);
        var expected = Step.Run(model, input);
        var result = new StaticQuantization().Apply(model, options, Step.Context(Images));
        return (expected, Step.Run(result.Model, input), result);
    }

    private static (float Scale, int ZeroPoint) ParametersOf(Model model, string value)
    {
        var node = model.AllNodes.Single(n => n.OpType == "QuantizeLinear" && n.Inputs[0]!.Name == value);
        return (node.Inputs[1]!.Constant!.ToArray<float>()[0], node.Inputs[2]!.Constant!.ToArray<byte>()[0]);
    }
}
