using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using static Build.ML.LowRank.Tests.Networks;

namespace Build.ML.LowRank.Tests;

public sealed class ActivationFactorizationTests
{
    private const int Count = 200;

    [Theory]
    [InlineData(4)]
    [InlineData(12)]
    public void The_error_of_outputs_is_the_least_that_any_matrix_of_the_rank_has(int rank)
    {
        // Among X·W' with W' of rank r none is nearer to X·W than the truncated decomposition of X·W itself (Eckart and Young), and that is of the form X·W'.
        var (data, x) = Correlated(40);
        var w = Numbers.Normal(2, 40 * 30, 1);
        using var model = Perceptron([40, 30], w);
        var before = Run(model, x);
        var result = new ActivationFactorization().Apply(model, new() { Rank = rank, Data = Data, Dampening = 0 }, Context(data));
        var values = SingularValuesOf(before, Count, 30);
        var error = SquaredDistance(before, Run(model, x));
        Assert.InRange(error / Tail(values, rank), 0.999, 1.005);
        Assert.Equal(Math.Sqrt(error / Tail(values, 0)), Figure(result.Layers[0], "error"), 1e-3);

        using var plain = Perceptron([40, 30], w);
        new SvdFactorization().Apply(plain, new() { Rank = rank }, Context());
        Assert.InRange(error / SquaredDistance(before, Run(plain, x)), 0, 0.7);
    }

    [Fact]
    public void Inputs_that_span_less_than_the_layer_reads_cost_nothing_beyond_their_rank()
    {
        // x lies in 5 dimensions of 40: rank 5 gives the outputs exactly.
        var inputs = OfRank(Count, 40, 5, 1);
        using var model = Perceptron([40, 30], Numbers.Normal(2, 40 * 30, 1));
        var x = Tensor.Of(inputs, Count, 40);
        var before = Run(model, x);
        new ActivationFactorization().Apply(model, new() { Rank = 5, Data = Data, Dampening = 0, Sequential = false }, Context(Samples(inputs, 40)));
        AssertSame(before, Run(model, x), 1e-3); // the dampening that makes a singular matrix definite: 1e-6 of its mean
    }

    [Fact]
    public void Convolutions_are_fitted_to_the_patches_that_they_see()
    {
        var random = Numbers.Normal(1, 30 * 8 * 7 * 7, 1);
        for (var i = 0; i < random.Length; i++)
        {
            random[i] *= (float)Math.Pow(0.5, i / 49 % 8); // channels of different size
        }

        var data = new MemoryData([.. Enumerable.Range(0, 30).Select(i => new Sample([new("", Tensor.Of(random[(i * 392)..((i + 1) * 392)], 8, 7, 7))], Label.None))]);
        var x = Tensor.Of(random, 30, 8, 7, 7);
        Model Network() => Of(
            "Conv", [30, 8, 7, 7], Numbers.Tensor(2, 1, 24, 8, 3, 3), Numbers.Tensor(3, 1, 24), NodeAttribute.Ints("pads", 1, 1, 1, 1), NodeAttribute.Ints("strides", 2, 2));
        using var exact = Network();
        var before = Run(exact, x);
        double Error(Model model) => SquaredDistance(before, Run(model, x));
        using var plain = Network();
        using var aware = Network();
        new SvdFactorization().Apply(plain, new() { Rank = 8 }, Context());
        new ActivationFactorization().Apply(aware, new() { Rank = 8, Data = Data, Dampening = 0 }, Context(data));

        // The outputs without bias as a matrix [24, images · positions]: its tail is the optimum.
        var flat = Enumerable.Range(0, before.Length).Select(i => before[i] - Numbers.Normal(3, 24, 1)[i / 16 % 24]).ToArray();
        var matrix = new float[before.Length];
        for (var i = 0; i < flat.Length; i++)
        {
            matrix[i / 16 % 24 * (flat.Length / 24) + i / (16 * 24) * 16 + i % 16] = flat[i];
        }

        Assert.InRange(Error(aware) / Tail(SingularValuesOf(matrix, 24, flat.Length / 24), 8), 0.999, 1.005);
        Assert.InRange(Error(aware) / Error(plain), 0, 0.8);
    }

    [Fact]
    public void In_sequence_later_layers_make_up_for_earlier_ones()
    {
        var (data, x) = Correlated(32);
        Model Network() => Perceptron([32, 48, 40, 20], Numbers.Normal(2, 32 * 48, 0.2), Numbers.Normal(3, 48 * 40, 0.2), Numbers.Normal(4, 40 * 20, 0.2));
        using var exact = Network();
        var before = Run(exact, x);
        double Error(bool sequential)
        {
            using var model = Network();
            new ActivationFactorization().Apply(model, new() { Ratio = 0.25, Data = Data, Sequential = sequential }, Context(data));
            return SquaredDistance(before, Run(model, x));
        }

        Assert.InRange(Error(true) / Error(false), 0, 0.9);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Threads_do_not_change_bits_and_samples_beyond_the_limit_are_not_read(bool sequential)
    {
        var (data, _) = Correlated(64);
        byte[] Bytes(int threads, DataSet set, int samples)
        {
            using var model = Perceptron([64, 48, 40], Numbers.Normal(2, 64 * 48, 0.2), Numbers.Normal(3, 48 * 40, 0.2));
            new ActivationFactorization().Apply(model, new() { Budget = 0.4, Data = Data, Sequential = sequential, Samples = samples }, Context(set, threads));
            return model.ToBytes();
        }

        Assert.Equal(Bytes(1, data, 100), Bytes(2, data, 100));
        Assert.Equal(Bytes(2, new MemoryData([.. Enumerable.Range(0, 100).Select(i => data[i])]), 0), Bytes(2, data, 100));
    }

    [Fact]
    public void A_layer_that_data_does_not_reach_is_left()
    {
        using var model = Perceptron([16, 16], Numbers.Normal(2, 256, 1));
        var graph = model.Graph;
        var constant = graph.Add("Relu", [graph.AddInitializer("c", Numbers.Tensor(4, 1, 3, 16))], "fixed", before: graph.FirstNode);
        graph.AddOutput(graph.Add("MatMul", [constant, graph.AddInitializer("v", Numbers.Tensor(5, 1, 16, 16))], "beside"));
        graph.Outputs[1].Type = new TensorType(DataType.Float);
        var result = new ActivationFactorization().Apply(model, new() { Rank = 3, Data = Data }, Context(Correlated(16).Data));
        Assert.Contains("does not depend on the data", result.Layers.Single(l => l.Layer == "beside").Reason, StringComparison.Ordinal);
        Assert.Equal("factored", result.Layers.Single(l => l.Layer == "y").Outcome);
    }

    // Inputs that lie mostly in a few directions.
    private static (DataSet Data, Tensor X) Correlated(int width)
    {
        var (noise, main) = (Numbers.Normal(11, Count * width, 0.1), OfRank(Count, width, 6, 12));
        float[] x = [.. noise.Zip(main, (a, b) => a + 3 * b)];
        return (Samples(x, width), Tensor.Of(x, Count, width));
    }

    private static MemoryData Samples(float[] rows, int width) =>
        new([.. Enumerable.Range(0, rows.Length / width).Select(i => new Sample([new("", Tensor.Of(rows[(i * width)..((i + 1) * width)], width))], Label.None))]);
}
