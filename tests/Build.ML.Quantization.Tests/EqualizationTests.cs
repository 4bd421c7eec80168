using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Static;
using Build.ML.Quantization.Static.Equalization;

namespace Build.ML.Quantization.Tests;

public sealed class EqualizationTests
{
    private static readonly NormalData Images = new(24, 6, 8, 8);

    [Fact]
    public void The_function_stays_and_neighbours_have_equal_ranges()
    {
        using var model = Mobile("Relu");
        var input = Numbers.Tensor(9, 1, 4, 6, 8, 8);
        var expected = Step.Run(model, input);
        var equalization = CrossLayerEqualization.Apply(model);
        Assert.Equal(3, equalization.Pairs); // expand and depthwise, depthwise and project, the two products

        // Rounding of single precision alone: about 1e-7 of each sum.
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 110, 1000);
        var (expand, depthwise, project) = (Weight(model, "expand"), Weight(model, "depthwise"), Weight(model, "project"));
        for (var c = 0; c < 12; c++)
        {
            var ranges = new[]
            {
                Enumerable.Range(0, 6).Max(i => Math.Abs(expand[c * 6 + i])),
                Enumerable.Range(0, 9).Max(k => Math.Abs(depthwise[c * 9 + k])),
                Enumerable.Range(0, 8).Max(o => Math.Abs(project[o * 12 + c])),
            };

            // Converged to a thousandth a step; a few steps may be left.
            Assert.InRange(ranges.Max() / ranges.Min(), 1, 1.01);
        }
    }

    [Fact]
    public void One_scale_for_all_channels_is_enough_then()
    {
        var plain = Sqnr(equalize: false);
        var equalized = Sqnr(equalize: true);

        // Ranges of channels differ by up to 2⁸: small ones had no integers left.
        Assert.InRange(equalized - plain, 10, 60);
    }

    [Fact]
    public void A_clip_with_an_upper_bound_keeps_its_pair_apart()
    {
        using var model = Mobile("Clip");
        var input = Numbers.Tensor(9, 1, 4, 6, 8, 8);
        var expected = Step.Run(model, input);
        var equalization = CrossLayerEqualization.Apply(model);
        Assert.Equal((1, 2), (equalization.Pairs, equalization.Clipped));
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 110, 1000);
    }

    [Fact]
    public void The_report_says_what_was_equalized_and_patterns_still_fit()
    {
        using var model = Mobile("Clip");
        var options = new StaticQuantization.Options { Data = Step.Data, Equalize = true, Exclude = ["w2", "expand_w"] };
        var result = new StaticQuantization().Apply(model, options, Step.Context(Images));
        Assert.Contains("Cross-layer equalization scaled 1 pairs of layers; 2 stayed, since a Clip between them has a fixed bound.", result.Notes);
        Assert.Equal(["expand", "y"], result.Layers.Where(l => l.Outcome == "left").Select(l => l.Layer));
    }

    private static double Sqnr(bool equalize)
    {
        using var model = Mobile("Relu");
        var input = Numbers.Tensor(9, 1, 4, 6, 8, 8);
        var expected = Step.Run(model, input);
        new StaticQuantization().Apply(model, new() { Data = Step.Data, Granularity = Granularity.PerTensor, Equalize = equalize }, Step.Context(Images));
        return Step.Sqnr(expected, Step.Run(model, input));
    }

    private static float[] Weight(Model model, string layer) => model.Graph.Find(layer)!.Producer!.Inputs[1]!.Constant!.ToArray<float>();

    // A 1×1 convolution, a depthwise one, a 1×1 one, two products with a bias between: channels of very different ranges that cancel out. [n,6,8,8] → [n,8,8,5].
    private static Model Mobile(string activation)
    {
        var model = new Model(new OnnxGraph("mobile"), 17) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 6, 8, 8)));
        var imbalance = Enumerable.Range(0, 12).Select(c => MathF.Pow(2, c % 9 - 4)).ToArray();
        var expand = Conv("expand", x, Scaled(1, [12, 6, 1, 1], (o, _) => imbalance[o]), 1);
        var depthwise = Conv("depthwise", Activation(expand), Numbers.Tensor(2, 0.4, 12, 1, 3, 3), 12);
        var project = Conv("project", Activation(depthwise), Scaled(3, [8, 12, 1, 1], (_, c) => 1 / imbalance[c]), 1);
        var rows = graph.Add("Transpose", [project], "rows", [NodeAttribute.Ints("perm", 0, 2, 3, 1)]);
        var hidden = graph.Add("MatMul", [rows, graph.AddInitializer("w1", Numbers.Tensor(4, 0.5, 8, 9))], "first");
        hidden = graph.Add("Add", [graph.AddInitializer("b1", Numbers.Tensor(5, 0.5, 9)), hidden], "biased");
        hidden = graph.Add("LeakyRelu", [hidden], "hidden");
        var y = graph.Add("MatMul", [hidden, graph.AddInitializer("w2", Numbers.Tensor(6, 0.01, 9, 5))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 8, 8, 5));
        graph.AddOutput(y);
        return model;

        Value Conv(string name, Value input, Tensor weight, int group)
        {
            var bias = graph.AddInitializer(name + "_b", Numbers.Tensor(name.Length, 0.1, weight.Sizes[0]));
            var pad = weight.Sizes[2] / 2;
            return graph.Add(
                "Conv", [input, graph.AddInitializer(name + "_w", weight), bias], name, [NodeAttribute.Int("group", group), NodeAttribute.Ints("pads", pad, pad, pad, pad)]);
        }

        Value Activation(Value value) => activation == "Relu" ? graph.Add("Relu", [value], value.Name + "_relu")
            : graph.Add("Clip", [value, graph.AddInitializer("low", Tensor.Scalar(0f)), graph.AddInitializer("high", Tensor.Scalar(6f))], value.Name + "_clip");

        static Tensor Scaled(int seed, long[] sizes, Func<int, int, float> factor)
        {
            var values = Numbers.Normal(seed, sizes[0] * sizes[1], 0.4);
            for (var i = 0; i < values.Length; i++)
            {
                values[i] *= factor(i / (int)sizes[1], i % (int)sizes[1]);
            }

            return Tensor.Of(values, sizes);
        }
    }
}
