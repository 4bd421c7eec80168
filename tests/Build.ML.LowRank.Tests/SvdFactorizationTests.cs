using System.ComponentModel.DataAnnotations;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using static Build.ML.LowRank.Tests.Networks;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.LowRank.Tests;

public sealed class SvdFactorizationTests
{
    [Theory]
    [InlineData("MatMul")]
    [InlineData("Gemm")]
    [InlineData("Gemm transposed")]
    [InlineData("Conv 1x1")]
    [InlineData("Conv 3x3")]
    [InlineData("Conv 1d")]
    public void A_layer_of_the_rank_asked_for_gives_the_same_outputs_in_two_parts(string layer)
    {
        var bias = Numbers.Tensor(5, 1, 40);
        var (input, op) = (new long[] { 7, 50 }, layer.Split(' ')[0]);
        Tensor Weight(params long[] sizes)
        {
            var w = OfRank(40, (int)(sizes.Aggregate((a, b) => a * b) / 40), 6, 1);
            return Tensor.Of(sizes[0] == 40 ? w : Transposed(w, 40, 50), sizes);
        }

        using var model = layer switch
        {
            "MatMul" => Of(op, input, Weight(50, 40)),
            "Gemm" => Of(op, input, Weight(50, 40), bias, NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 2)),
            "Gemm transposed" => Of(op, input, Weight(40, 50), bias, NodeAttribute.Int("transB", 1)),
            "Conv 1x1" => Of(op, input = [2, 50, 5, 6], Weight(40, 50, 1, 1), bias, NodeAttribute.Ints("strides", 2, 1)),
            "Conv 3x3" => Of(
                op, input = [2, 12, 9, 8], Weight(40, 12, 3, 3), bias, NodeAttribute.Ints("strides", 2, 1), NodeAttribute.Ints("pads", 1, 0, 2, 1),
                NodeAttribute.Ints("dilations", 1, 2)),
            _ => Of(op, input = [2, 12, 9], Weight(40, 12, 3), bias, NodeAttribute.String("auto_pad", "SAME_UPPER")),
        };
        var x = Numbers.Tensor(9, 1, input);
        var before = Run(model, x);
        var result = new SvdFactorization().Apply(model, new() { Rank = 6 }, Context());
        AssertSame(before, Run(model, x), 2e-6);
        Assert.Equal(2, model.Graph.NodeCount);
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Name == "w");
        var outcome = Assert.Single(result.Layers);
        Assert.Equal("factored", outcome.Outcome);
        Assert.InRange(Figure(outcome, "error"), 0, 5e-4); // the root of a difference of float32 squares
        Assert.Equal(6 * (40.0 + model.Graph.Find("w.down")!.Initializer!.Count / 6) / (40 * model.Graph.Find("w.down")!.Initializer!.Count / 6), Figure(outcome, "parameters_kept"), 1e-9);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(20)]
    public void The_outputs_error_on_unit_vectors_is_the_tail_of_the_spectrum(int rank)
    {
        var w = Numbers.Normal(2, 60 * 45, 1);
        using var model = Of("MatMul", [60, 60], Tensor.Of(w, 60, 45));
        var result = new SvdFactorization().Apply(model, new() { Rank = rank }, Context());
        var identity = Enumerable.Range(0, 3600).Select(i => i / 60 == i % 60 ? 1f : 0).ToArray();
        var values = SingularValuesOf(w, 60, 45);
        var error = SquaredDistance(w, Run(model, Tensor.Of(identity, 60, 60)));
        Assert.InRange(error / Tail(values, rank), 0.9999, 1.002); // nothing is nearer; the sketch is within a thousandth
        Assert.Equal(Math.Sqrt(error / Tail(values, 0)), Figure(result.Layers[0], "error"), 1e-3);
    }

    [Fact]
    public void A_ratio_is_kept_and_the_next_rank_would_not_keep_it()
    {
        using var model = Perceptron([64, 48, 80, 8], Numbers.Normal(1, 64 * 48, 1), Numbers.Normal(2, 48 * 80, 1), Numbers.Normal(3, 80 * 8, 1));
        var result = new SvdFactorization().Apply(model, new() { Ratio = 0.4 }, Context());
        Assert.Equal(3, result.Layers.Length);
        Assert.All(result.Layers, l => Assert.InRange(Figure(l, "parameters_kept"), 0.4 * Figure(l, "rank") / (Figure(l, "rank") + 1) - 1e-9, 0.4));
        Assert.Contains("0.3", Assert.Single(result.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Energy_takes_the_least_rank_that_keeps_it()
    {
        // σ² = 1, 1/2, 1/4, …: r of them keep 1 − 2^−r.
        using var model = Of("MatMul", [1, 40], Tensor.Of(WithSpectrum(40, 30, i => Math.Pow(2, -i / 2.0)), 40, 30));
        var result = new SvdFactorization().Apply(model, new() { Energy = 0.99 }, Context());
        Assert.Equal(7, Figure(result.Layers[0], "rank"));

        using var flat = Of("MatMul", [1, 40], Tensor.Of(WithSpectrum(40, 30, i => 1), 40, 30));
        var error = Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(flat, new() { Energy = 0.99 }, Context()));
        Assert.Equal("BML5701", Assert.Single(error.Diagnostics).Code);
        Assert.Contains("rank 17", error.Message, StringComparison.Ordinal); // 17·70 < 1200; it keeps 17 of 30
        Assert.Contains("0.5667", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_budget_goes_to_the_layers_that_need_it_and_may_leave_one_whole()
    {
        var steep = WithSpectrum(64, 64, i => Math.Pow(0.7, i));
        var flat = WithSpectrum(64, 64, i => 1);
        using var model = Perceptron([64, 64, 64], steep, flat);
        var result = new SvdFactorization().Apply(model, new() { Budget = 0.75 }, Context());
        var kept = result.Layers.Sum(l => l.Outcome == "factored" ? 128 * Figure(l, "rank") : 64 * 64);
        Assert.InRange(kept, 0.7 * 2 * 64 * 64, 0.75 * 2 * 64 * 64);
        var factored = Assert.Single(result.Layers, l => l.Outcome == "factored");
        Assert.Equal("z0", factored.Layer);
        Assert.InRange(Figure(factored, "error"), 0, 0.01); // rank 16: 0.7^16
        Assert.Contains("budget leaves it whole", result.Layers.Single(l => l.Outcome == "left").Reason, StringComparison.Ordinal);

        using var small = Perceptron([64, 64, 64], steep, flat);
        var error = Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(small, new() { Budget = 0.02 }, Context()));
        Assert.Equal("BML5702", error.Diagnostics[0].Code); // rank 1 takes 2 · 128 of 8192
    }

    [Fact]
    public void By_latency_a_layer_is_factored_only_if_the_pair_was_measured_to_be_faster()
    {
        Model Network() => Perceptron([512, 512, 8], Numbers.Normal(1, 512 * 512, 1), Numbers.Normal(2, 512 * 8, 1));
        using var model = Network();
        var result = new SvdFactorization().Apply(model, new() { Latency = 1.5 }, Context());
        var factored = Assert.Single(result.Layers, l => l.Outcome == "factored");
        Assert.Equal("z0", factored.Layer);
        Assert.Equal(0, Figure(factored, "rank") % 8);
        Assert.InRange(Figure(factored, "speedup"), 1.5, 100);
        Assert.Contains("nothing is gained", result.Layers.Single(l => l.Outcome == "left").Reason, StringComparison.Ordinal); // 8 outputs: rank 8 saves nothing

        using var same = Network();
        var error = Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(same, new() { Latency = 99 }, Context()));
        Assert.Contains("no gain was measured", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Layers_without_gain_are_left_and_named_with_the_reason()
    {
        using var model = Perceptron([64, 64, 10], Numbers.Normal(1, 64 * 64, 1), Numbers.Normal(2, 64 * 10, 1));
        var result = new SvdFactorization().Apply(model, new() { Rank = 9 }, Context());
        Assert.Equal(["left", "factored"], result.Layers.OrderByDescending(l => l.Outcome).Select(l => l.Outcome));
        var left = result.Layers.Single(l => l.Outcome == "left");
        Assert.Equal("y", left.Layer);
        Assert.Contains("9·(10 + 64) numbers are no fewer than 10·64", left.Reason, StringComparison.Ordinal);

        using var again = Perceptron([64, 64, 10], Numbers.Normal(1, 64 * 64, 1), Numbers.Normal(2, 64 * 10, 1));
        Assert.Equal("BML5701", Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(again, new() { Rank = 40 }, Context())).Diagnostics[0].Code);
    }

    [Fact]
    public void A_weight_of_two_layers_is_split_once_and_one_with_other_readers_stays()
    {
        var graph = new OnnxGraph("tied");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(3, 32)));
        var ids = graph.AddInput("ids", new TensorType(DataType.Int64, Shape.Of(3)));
        var twice = graph.AddInitializer("twice", Tensor.Of(OfRank(32, 32, 4, 1), 32, 32));
        var table = graph.AddInitializer("table", Tensor.Of(OfRank(32, 32, 4, 5), 32, 32));
        var y = graph.Add("MatMul", [graph.Add("Tanh", [graph.Add("MatMul", [x, twice], "first")], "t"), twice], "second");
        y = graph.Add("Add", [graph.Add("MatMul", [y, table], "head"), graph.Add("Gather", [table, ids], "embedding")], "y");
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        using var model = new Model(graph, 17) { IrVersion = 8 };
        var result = new SvdFactorization().Apply(model, new() { Rank = 4 }, Context());
        Assert.Equal(["table", "twice.down", "twice.up"], model.Graph.Initializers.Select(i => i.Name).Order());
        Assert.Equal(8, model.Graph.NodeCount);
        Assert.Contains("other readers", result.Layers.Single(l => l.Outcome == "left").Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
    }

    [Fact]
    public void Half_precision_stays_and_grouped_convolutions_are_left()
    {
        var halves = Array.ConvertAll(OfRank(24, 36, 3, 1), v => (Half)v);
        var graph = new OnnxGraph("half");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(2, 24)));
        var cast = graph.Add("Cast", [x], "x16", [NodeAttribute.Int("to", (long)DataType.Float16)]);
        var y = graph.Add("Cast", [graph.Add("MatMul", [cast, graph.AddInitializer("w", Tensor.Of(halves, 24, 36))], "z")], "y", [NodeAttribute.Int("to", (long)DataType.Float)]);
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        using var model = new Model(graph, 17) { IrVersion = 8 };
        var input = Numbers.Tensor(3, 1, 2, 24);
        var before = Run(model, input);
        new SvdFactorization().Apply(model, new() { Rank = 3 }, Context());
        Assert.Equal(DataType.Float16, model.Graph.Find("w.up")!.Initializer!.Type);
        AssertSame(before, Run(model, input), 5e-3); // eleven bits, rounded three times

        using var grouped = Of("Conv", [1, 16, 4, 4], Numbers.Tensor(1, 1, 16, 8, 3, 3), null, NodeAttribute.Int("group", 2));
        Assert.Contains("2 groups", Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(grouped, new() { Rank = 1 }, Context())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_do_not_change_bits()
    {
        byte[] Bytes(int threads)
        {
            using var model = Perceptron([300, 200, 150], Numbers.Normal(1, 300 * 200, 1), Numbers.Normal(2, 200 * 150, 1));
            new SvdFactorization().Apply(model, new() { Budget = 0.3 }, Context(threads: threads));
            return model.ToBytes();
        }

        Assert.Equal(Bytes(1), Bytes(2));
    }

    [Fact]
    public void Exactly_one_option_decides_the_ranks()
    {
        Assert.False(IsValid(new()));
        Assert.False(IsValid(new() { Ratio = 0.5, Energy = 0.9 }));
        Assert.False(IsValid(new() { Ratio = 1 }));
        Assert.False(IsValid(new() { Latency = 1 }));
        Assert.True(IsValid(new() { Budget = 0.5 }));
        using var model = Perceptron([4, 4], Numbers.Normal(1, 16, 1));
        Assert.Equal(
            "BML5402", Assert.Throws<DiagnosticException>(() => new SvdFactorization().Apply(model, new() { Rank = 1, OpTypes = ["Relu"] }, Context())).Diagnostics[0].Code);

        static bool IsValid(SvdFactorization.Options options) => Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true);
    }

    // A matrix [rows, columns] with given singular values.
    private static float[] WithSpectrum(int rows, int columns, Func<int, double> value)
    {
        using var left = Matrix(Numbers.Normal(7, rows * columns, 1), columns, rows);
        using var right = Matrix(Numbers.Normal(8, columns * columns, 1), columns, columns);
        Calibration.LinearAlgebra.OrthonormalRows.Of(left);
        Calibration.LinearAlgebra.OrthonormalRows.Of(right);
        var matrix = new float[rows * columns];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                matrix[i * columns + j] = (float)Enumerable.Range(0, columns).Sum(k => value(k) * left[k, i] * right[k, j]);
            }
        }

        return matrix;
    }

    private static float[] Transposed(float[] matrix, int rows, int columns) =>
        [.. Enumerable.Range(0, matrix.Length).Select(i => matrix[i % rows * columns + i / rows])];
}
