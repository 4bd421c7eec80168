using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Mixed;

namespace Build.ML.Quantization.Tests;

public sealed class MixedPrecisionTests
{
    private static readonly NormalData Samples = new(24, 48);

    [Theory]
    [InlineData(3.5)]
    [InlineData(5)]
    [InlineData(7)]
    public void The_weights_keep_to_the_average_of_bits_and_come_near_it(double bits)
    {
        using var model = Models.Perceptron(21);
        var result = new MixedPrecision().Apply(model, new() { Data = Step.Data, AverageBits = bits, AccuracyLevel = 0 }, Step.Context(Samples));
        Assert.All(result.Layers, l => Assert.Equal("quantized", l.Outcome));
        // 48 inputs are one and a half blocks of 32, which the file stores as two whole ones: what is budgeted is the format's bits.
        Assert.True(Budgeted(result.Layers) <= bits);
    }

    [Fact]
    public void More_bits_leave_outputs_nearer()
    {
        var sqnrs = new[] { 3.5, 5, 7, 9.5 }.Select(Sqnr).ToArray();
        Assert.Equal(sqnrs.Order(), sqnrs);
        Assert.True(sqnrs[^1] > 35, $"{sqnrs[^1]} dB with 8 bits everywhere"); // 8 bits of Gaussian blocks: about 44 dB a layer

        static double Sqnr(double bits)
        {
            using var real = Models.Perceptron(21);
            using var model = Models.Perceptron(21);
            var result = new MixedPrecision().Apply(model, new() { Data = Step.Data, AverageBits = bits, AccuracyLevel = 0 }, Step.Context(Samples));
            var x = Numbers.Tensor(5, 1, 6, 48);
            return Step.Sqnr(Step.Run(real, x), Step.Run(result.Model, x));
        }
    }

    [Fact]
    public void The_layer_whose_noise_matters_gets_the_bits()
    {
        // y = small·x₁ + large·x₂ through two products added: errors of the second are a hundred times louder.
        using var model = Unequal();
        var result = new MixedPrecision().Apply(model, new() { Data = Step.Data, AverageBits = 8, Choices = [3, 8], BlockSize = 16, AccuracyLevel = 0 }, Step.Context(new NormalData(16, 64)));
        var bits = result.Layers.ToDictionary(l => l.Layer, l => l.Figures.First(f => f.Key == "bits").Value);
        Assert.Equal(3, bits["quiet"]);
        Assert.Equal(8, bits["loud"]);
    }

    [Fact]
    public void A_layer_may_stay_as_it_is_where_32_bits_are_a_choice()
    {
        using var model = Unequal();
        var result = new MixedPrecision().Apply(model, new() { Data = Step.Data, Size = 0.7, Choices = [4, 32], AccuracyLevel = 0 }, Step.Context(new NormalData(16, 64)));
        Assert.Equal("left", result.Layers.First(l => l.Layer == "loud").Outcome);
        Assert.Equal("quantized", result.Layers.First(l => l.Layer == "quiet").Outcome);
    }

    [Fact]
    public void A_budget_below_the_fewest_bits_says_how_many_are_needed()
    {
        using var model = Models.Perceptron(21);
        var error = Assert.Throws<DiagnosticException>(() => new MixedPrecision().Apply(model, new() { Data = Step.Data, AverageBits = 1.5 }, Step.Context(Samples)));
        Assert.Equal("BML5460", error.Diagnostics[0].Code);
    }

    [Fact]
    public void A_budget_of_quality_gives_the_smallest_size_that_keeps_it()
    {
        using var real = Models.Perceptron(21);
        using var model = Models.Perceptron(21);
        var x = Numbers.Tensor(6, 1, 32, 48);
        var expected = Step.Run(real, x);
        var context = Step.Context(Samples) with
        {
            // A metric of its own: 1 less the share of noise in the outputs.
            Evaluate = (m, _, _) => [new("closeness", 1 - Noise(expected, Step.Run(m, x)), "ratio", Direction.HigherIsBetter)],
        };
        var options = new MixedPrecision.Options
        {
            Data = Step.Data,
            AccuracyLevel = 0,
            Quality = new() { Metric = new MetricReference("closeness"), Data = Step.Data, MaxLoss = 0.01 },
        };
        var result = new MixedPrecision().Apply(model, options, context);
        Assert.InRange(Noise(expected, Step.Run(result.Model, x)), 0.0003, 0.011); // not far better than asked for either; the kernel sums in another order
        Assert.Contains(result.Notes, n => n.Contains("Tried", StringComparison.Ordinal));
    }

    [Fact]
    public void A_quality_that_no_choice_keeps_is_an_error_with_the_loss()
    {
        using var model = Models.Perceptron(21);
        var calls = 0;
        var context = Step.Context(Samples) with { Evaluate = (_, _, _) => [new("accuracy", calls++ == 0 ? 0.9 : 0.5, "ratio", Direction.HigherIsBetter)] };
        var options = new MixedPrecision.Options { Data = Step.Data, Quality = new() { Metric = new MetricReference("accuracy"), Data = Step.Data } };
        var error = Assert.Throws<DiagnosticException>(() => new MixedPrecision().Apply(model, options, context));
        Assert.Equal("BML5461", error.Diagnostics[0].Code);
        Assert.Contains("44", error.Diagnostics[0].Message, StringComparison.Ordinal); // (0.9 − 0.5) / 0.9
    }

    private static double Noise(float[] expected, float[] actual) => Math.Pow(10, -Step.Sqnr(expected, actual) / 10);

    private static double Budgeted(IEnumerable<Abstractions.Techniques.LayerOutcome> layers)
    {
        double bits = 0, elements = 0;
        foreach (var layer in layers)
        {
            var count = layer.Layer.Contains("first", StringComparison.Ordinal) ? 48 * 64 : 24 * 64; // the two products of the model
            bits += layer.Figures.First(f => f.Key == "size_ratio").Value * 32 * count;
            elements += count;
        }

        return bits / elements;
    }

    private static Model Unequal()
    {
        var graph = new Graph.Ir.OnnxGraph("unequal");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape([new Dimension("n"), 64])));
        var quiet = graph.Add("MatMul", [x, graph.AddInitializer("quiet_w", Numbers.Tensor(1, 0.01, 64, 64))], "quiet");
        var loud = graph.Add("MatMul", [x, graph.AddInitializer("loud_w", Numbers.Tensor(2, 1, 64, 64))], "loud");
        var y = graph.Add("Add", [quiet, loud], "y");
        y.Type = new TensorType(DataType.Float, new Shape([new Dimension("n"), 64]));
        graph.AddOutput(y);
        return new Model(graph);
    }
}
