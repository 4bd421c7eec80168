using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Depthwise;
using Build.ML.Architectures.Images;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training.Random;

namespace Build.ML.Architectures.Tests;

public sealed class DepthwiseReplacementTests
{
    static readonly StepContext Context = new()
    {
        StepId = "slim",
        Data = _ => throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
    };

    /// <summary>Every way in which a convolution may go over its input.</summary>
    public static TheoryData<int[], string> Windows => new()
    {
        { [3, 3], "" },
        { [3, 3], "pads=1,1,1,1" },
        { [3, 3], "strides=2,2 pads=0,1,2,1" },
        { [5, 3], "dilations=2,3 pads=4,0,4,6" },
        { [3, 3], "auto_pad=SAME_UPPER strides=2,1" },
        { [4], "strides=3 pads=1,2" },
        { [2, 3, 2], "strides=1,2,1" },
    };

    [Theory]
    [MemberData(nameof(Windows))]
    public void A_separable_convolution_computes_the_same_afterwards(int[] kernel, string attributes)
    {
        // Weights p·dᵀ for each input channel are what the two layers can express exactly.
        using var model = Convolution(kernel, attributes, outputs: 20, rank: 1);
        using var before = model.Clone();
        var result = new DepthwiseReplacement().Apply(model, new(), Context);

        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
        Assert.Equal(["Conv", "Conv"], model.Graph.Nodes.Select(n => n.OpType));
        Assert.Equal(1, Figure(result.Layers[0], "kept"), 1e-6);
        AssertClose(Networks.Run(before), Networks.Run(model), 1e-4);
    }

    [Fact]
    public void Two_kernels_of_a_channel_express_rank_two()
    {
        using var model = Convolution([3, 3], "pads=1,1,1,1", outputs: 40, rank: 2);
        using var before = model.Clone();
        using var single = model.Clone();
        new DepthwiseReplacement().Apply(model, new() { Multiplier = 2 }, Context);
        var kept = Figure(new DepthwiseReplacement().Apply(single, new(), Context).Layers[0], "kept");

        AssertClose(Networks.Run(before), Networks.Run(model), 1e-4);
        Assert.InRange(kept, 0.5, 0.99);
    }

    [Fact]
    public void No_other_separable_weight_is_nearer()
    {
        var weight = Numbers(6 * 4 * 9, 3);
        var layer = new SeparableLayer(null!, 6, 4, 9, 2);
        var near = SeparableApproximation.Of(weight, layer, 1, 2, CancellationToken.None);

        // The best for each channel by another method: alternating least squares from random kernels.
        var (total, left) = (weight.Sum(w => (double)w * w), 0.0);
        for (var channel = 0; channel < 4; channel++)
            left += Enumerable.Range(0, 5).Min(start => Alternating(weight, channel, start));
        Assert.Equal(1 - (left / total), near.Kept, 1e-6);
        // What is said to be kept is what the weights have.
        var error = 0.0;
        for (var o = 0; o < 6; o++)
            for (var i = 0; i < 4; i++)
                for (var k = 0; k < 9; k++)
                    error += Math.Pow(weight[(((o * 4) + i) * 9) + k] - (near.Pointwise[(o * 4) + i] * (double)near.Depthwise[(i * 9) + k]), 2);
        Assert.Equal(1 - (error / total), near.Kept, 1e-6);
    }

    [Fact]
    public void A_network_keeps_more_of_its_answers_than_with_random_weights()
    {
        var network = new CifarResNet { Depth = 8 };
        using var before = network.Build(1);
        using var near = network.Build(1);
        using var random = network.Build(1);
        new DepthwiseReplacement().Apply(near, new() { Include = ["layer*"], Multiplier = 4 }, Context);
        new DepthwiseReplacement().Apply(random, new() { Include = ["layer*"], Multiplier = 4, Start = DepthwiseStart.Random }, Context);
        var expected = Networks.Run(before);

        var (nearness, chance) = (Correlation(expected, Networks.Run(near)), Correlation(expected, Networks.Run(random)));
        Assert.True(nearness > 0.8 && nearness > chance + 0.2, $"{nearness} against {chance}");
    }

    [Fact]
    public void Layers_are_chosen_by_pattern_and_each_has_an_outcome()
    {
        using var model = new ResNet { Size = 32, Width = 0.25, Stride = 4 }.Build(1);
        var parameters = Networks.Parameters(model);
        var result = new DepthwiseReplacement().Apply(model, new() { Include = ["layer*"], Exclude = ["layer2.*"] }, Context);
        var outcomes = result.Layers.ToDictionary(l => l.Layer);

        Assert.Equal(20, outcomes.Count);
        Assert.Equal("not among include", outcomes["conv1"].Reason);
        Assert.Equal("excluded by 'layer2.*'", outcomes["layer2.0.conv1"].Reason);
        Assert.Equal("its kernel has one element", outcomes["layer3.0.downsample.0"].Reason);
        var replaced = result.Layers.Where(l => l.Outcome == "replaced").ToArray();
        Assert.Equal(12, replaced.Length);
        Assert.Equal(parameters - replaced.Sum(l => Figure(l, "weights_before") - Figure(l, "weights_after")), Networks.Parameters(model));
        Assert.Equal([16, 1, 3, 3], model.Graph.Find("layer1.0.conv1.depthwise.weight")!.Initializer!.Sizes.ToArray());
        Assert.Equal([16, 16, 1, 1], model.Graph.Find("layer1.0.conv1.pointwise.weight")!.Initializer!.Sizes.ToArray());
        Assert.Null(model.Graph.Find("layer1.0.conv1.weight"));
        Assert.Contains("12 of 20 convolutions were replaced", Assert.Single(result.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_layer_that_would_lose_too_much_is_left()
    {
        using var model = Convolution([3, 3], "", outputs: 20, rank: 9);
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => new DepthwiseReplacement().Apply(model, new() { MinimumKept = 0.9 }, Context)).Diagnostics);

        Assert.Equal("BML6114", error.Code);
        Assert.Contains("of its squared weights would be kept, less than minimum_kept", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_layer_that_would_grow_is_left()
    {
        using var model = Convolution([3, 3], "", outputs: 20, rank: 9);
        var error = Assert.Single(Assert.Throws<DiagnosticException>(() => new DepthwiseReplacement().Apply(model, new() { Multiplier = 9 }, Context)).Diagnostics);

        Assert.Contains("it would have 783 weights instead of 540", error.Message, StringComparison.Ordinal); // 3 · 9 · (9 + 20), 3 · 9 · 20
    }

    [Fact]
    public void A_model_without_convolutions_is_refused()
    {
        using var model = new Texts.BertEncoder { Layers = 1, Hidden = 8, Heads = 2, Intermediate = 8, Vocabulary = 11, Positions = 9, Length = 9 }.Build(1);

        Assert.Equal("BML6114", Assert.Throws<DiagnosticException>(() => new DepthwiseReplacement().Apply(model, new(), Context)).Diagnostics[0].Code);
    }

    [Fact]
    public void Normalization_and_activation_stand_between_the_two()
    {
        using var model = Convolution([3, 3], "", outputs: 20, rank: 1);
        new DepthwiseReplacement().Apply(model, new() { Normalize = true, Activation = DepthwiseActivation.Relu6 }, Context);

        Assert.Equal(["Conv", "BatchNormalization", "Clip", "Conv"], model.Graph.Nodes.Where(n => !n.Is("Constant")).Select(n => n.OpType));
        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
        Assert.All(Networks.Run(model), v => Assert.True(float.IsFinite(v)));
    }

    [Theory]
    [InlineData(DepthwiseStart.Approximate, 4, true)]
    [InlineData(DepthwiseStart.Random, 3, true)]
    [InlineData(DepthwiseStart.Random, 4, false)]
    public void Bytes_depend_on_options_and_seed_and_not_on_threads(DepthwiseStart start, long seed, bool equal)
    {
        Assert.Equal(equal, Bytes(3, 1).AsSpan().SequenceEqual(Bytes(seed, 2)));

        byte[] Bytes(long number, int threads)
        {
            using var model = new CifarResNet { Depth = 8 }.Build(1);
            new DepthwiseReplacement().Apply(model, new() { Start = start }, Context with { Seed = number, Threads = threads });
            return model.ToBytes();
        }
    }

    [Fact]
    public void Layers_that_share_a_weight_share_the_new_ones()
    {
        using var model = Convolution([3, 3], "pads=1,1,1,1", outputs: 3, rank: 1);
        var graph = model.Graph;
        var first = graph.FirstNode!;
        graph.RemoveOutput(0);
        graph.AddOutput(graph.Add("Conv", [first.Outputs[0], first.Inputs[1]], "again", [.. first.Attributes]));
        using var before = model.Clone();
        new DepthwiseReplacement().Apply(model, new(), Context);

        Assert.Equal(3, graph.Initializers.Count); // two weights and the bias of the first
        AssertClose(Networks.Run(before), Networks.Run(model), 1e-4);
    }

    // One convolution of 3 channels whose weights have that rank for each channel, with a bias.
    static Model Convolution(int[] kernel, string attributes, int outputs, int rank)
    {
        var graph = new OnnxGraph("convolution");
        long[] spatial = [.. kernel.Select((_, i) => 11L + i)];
        var x = graph.AddInput("input", new TensorType(DataType.Float, new Shape([new Dimension("batch"), 3, .. spatial.Select(s => new Dimension(s))])));
        var (size, weight) = (kernel.Aggregate((a, b) => a * b), new float[outputs * 3 * kernel.Aggregate((a, b) => a * b)]);
        for (var r = 0; r < rank; r++)
        {
            var (p, d) = (Numbers(outputs * 3, (2 * r) + 1), Numbers(3 * size, (2 * r) + 2));
            for (var i = 0; i < weight.Length; i++)
                weight[i] += p[i / size] * d[(i / size % 3 * size) + (i % size)];
        }

        var w = graph.AddInitializer("conv.weight", Tensor.Of(weight, [outputs, 3, .. kernel.Select(k => (long)k)]));
        var b = graph.AddInitializer("conv.bias", Tensor.Of(Numbers(outputs, 99), outputs));
        var y = graph.Add("Conv", [x, w, b], "conv", [.. attributes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Attribute)]);
        graph.AddOutput(y);
        y.Type = new TensorType(DataType.Float);
        return new Model(graph);

        static NodeAttribute Attribute(string text) => text.Split('=') is [var name, var value] && name != "auto_pad"
            ? NodeAttribute.Ints(name, [.. value.Split(',').Select(v => long.Parse(v, System.Globalization.CultureInfo.InvariantCulture))])
            : NodeAttribute.String("auto_pad", text["auto_pad=".Length..]);
    }

    // Squared error left of one channel [6 outputs of 4 channels, 9] after many rounds.
    static double Alternating(float[] weight, int channel, int start)
    {
        double Weight(int o, int k) => weight[(((o * 4) + channel) * 9) + k];
        var d = Numbers(9, 50 + start).Select(v => (double)v).ToArray();
        var p = new double[6];
        for (var round = 0; round < 500; round++)
        {
            var square = d.Sum(v => v * v);
            for (var o = 0; o < 6; o++)
                p[o] = Enumerable.Range(0, 9).Sum(k => Weight(o, k) * d[k]) / square;
            square = p.Sum(v => v * v);
            for (var k = 0; k < 9; k++)
                d[k] = Enumerable.Range(0, 6).Sum(o => Weight(o, k) * p[o]) / square;
        }

        return Enumerable.Range(0, 54).Sum(i => Math.Pow(Weight(i / 9, i % 9) - (p[i / 9] * d[i % 9]), 2));
    }

    static float[] Numbers(int count, long seed)
    {
        var values = new float[count];
        new CounterRandom(seed).FillNormal(values);
        return values;
    }

    static double Figure(LayerOutcome outcome, string name) => outcome.Figures.Single(f => f.Key == name).Value;

    static double Correlation(float[] a, float[] b)
    {
        var (meanA, meanB) = (a.Average(), b.Average());
        return a.Zip(b, (x, y) => (double)(x - meanA) * (y - meanB)).Sum()
            / Math.Sqrt(a.Sum(x => (double)(x - meanA) * (x - meanA)) * b.Sum(y => (double)(y - meanB) * (y - meanB)));
    }

    // Sums of at most 135 products of size 1 in float.
    static void AssertClose(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(expected.Max(Math.Abs) > 1);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, tolerance));
    }
}
