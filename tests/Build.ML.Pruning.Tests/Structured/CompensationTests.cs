using Build.ML.Abstractions.Data;
using Build.ML.Architectures.Images;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Pruning.Structured;
using Build.ML.Pruning.Structured.Importances;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class CompensationTests
{
    // A rectified unit that is a positive multiple of another's stays one: the layer behind can read the other in its place.
    [Fact]
    public void Least_squares_are_exact_where_hidden_units_are_multiples_of_others()
    {
        var data = Bench.Samples(64, 4, 6);
        using var plain = Duplicated();
        using var mended = Duplicated();
        var before = Bench.Run(plain, data);
        var options = new NeuronPruning.Options { Sparsity = 0.25, RoundTo = 1, Data = Bench.Data };
        new NeuronPruning().Apply(plain, options, Bench.Context(data));
        new NeuronPruning().Apply(mended, options with { Compensate = Compensation.LeastSquares, Ridge = 1e-7 }, Bench.Context(data));
        Assert.Equal([12L, 4], mended.Graph.Find("down")!.Initializer!.Sizes.ToArray());
        Assert.InRange(Bench.Distance(Bench.Run(plain, data), before), 0.02, 10);
        Assert.InRange(Bench.Distance(Bench.Run(mended, data), before), 0, 1e-4); // float32 products and λ

        static Model Duplicated()
        {
            var model = Bench.Perceptron();
            Bench.Edit(model, "up", w =>
            {
                for (var unit = 12; unit < 16; unit++)
                {
                    for (var i = 0; i < 6; i++)
                    {
                        w[i * 16 + unit] = 0.1f * w[i * 16 + unit - 12];
                    }
                }
            });
            Bench.Edit(model, "up_bias", b =>
            {
                for (var unit = 12; unit < 16; unit++)
                {
                    b[unit] = 0.1f * b[unit - 12];
                }
            });
            return model;
        }
    }

    [Fact]
    public void Least_squares_are_exact_where_feature_maps_are_multiples_of_others()
    {
        var data = Bench.Samples(24, 4, 3, 8, 8);
        using var model = Bench.Convolutions();
        foreach (var name in (string[])["first", "first_bias"])
        {
            Bench.Edit(model, name, w => w.AsSpan(0, 4 * w.Length / 16).CopyTo(w.AsSpan(12 * w.Length / 16)));
            for (var filter = 12; filter < 16; filter++)
            {
                Bench.Scale(model, name, filter, 0.1f);
            }
        }

        var before = Bench.Run(model, data);
        new ChannelPruning().Apply(
            model, new() { Sparsity = 0.25, RoundTo = 4, Include = ["first"], Data = Bench.Data, Compensate = Compensation.LeastSquares, Ridge = 1e-7 }, Bench.Context(data));
        Assert.Equal([8L, 12, 3, 3], model.Graph.Find("second")!.Initializer!.Sizes.ToArray());
        Assert.InRange(Bench.Distance(Bench.Run(model, data), before), 0, 1e-4);
    }

    [Fact]
    public void Matrix_products_with_a_sum_behind_them_are_reconstructed_with_their_bias()
    {
        var data = Bench.Samples(64, 4, 5, 6);
        var random = new Random(9);
        var graph = new OnnxGraph("feed-forward");
        var x = graph.AddInput("x", new TensorType(Build.ML.Graph.DataType.Float, new Shape(new Dimension("n"), 5, 6)));
        var up = graph.Add("Add", [graph.Add("MatMul", [x, Bench.Init(graph, "up", random, 6, 16)], "u"), Bench.Init(graph, "up_bias", random, 16)], "v");
        var y = graph.Add("Add", [graph.Add("MatMul", [graph.Add("Relu", [up], "r"), Bench.Init(graph, "down", random, 16, 4)], "d"), Bench.Init(graph, "down_bias", random, 4)], "y");
        using var model = Bench.Of(graph, y, new Shape(new Dimension("n"), 5, 4));

        // Four units that are 1 whatever comes in: the bias behind can take their part.
        Bench.Edit(model, "up", w =>
        {
            for (var i = 0; i < w.Length; i++)
            {
                w[i] = i % 16 >= 12 ? 0 : w[i];
            }
        });
        Bench.Edit(model, "up_bias", b => b.AsSpan(12).Fill(1));
        var before = Bench.Run(model, data);
        new NeuronPruning().Apply(
            model, new() { Sparsity = 0.25, RoundTo = 4, Data = Bench.Data, Compensate = Compensation.LeastSquares, Ridge = 1e-7 }, Bench.Context(data));
        Assert.Equal([12L, 4], model.Graph.Find("down")!.Initializer!.Sizes.ToArray());
        Assert.InRange(Bench.Distance(Bench.Run(model, data), before), 0, 1e-4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void What_is_lost_on_new_data_is_less_with_least_squares(int rounds)
    {
        var (data, fresh) = (Bench.Samples(48, 10, 3, 16, 16), Bench.Samples(64, 10, 3, 16, 16));
        using var original = new CifarResNet { Depth = 14, Size = 16 }.Build(1);
        var before = Bench.Run(original, fresh);
        double Lost(Compensation compensation)
        {
            using var model = original.Clone();
            new ChannelPruning().Apply(model, new() { RemoveMacs = 0.3, RoundTo = 2, Iterations = rounds, Data = Bench.Data, Compensate = compensation }, Bench.Context(data));
            return Bench.Distance(Bench.Run(model, fresh), before);
        }

        var (without, with) = (Lost(Compensation.None), Lost(Compensation.LeastSquares));
        Assert.True(with < 0.7 * without, $"{without:0.000} without, {with:0.000} with");
    }

    [Fact]
    public void Batch_normalization_gets_the_mean_and_variance_of_what_it_reads_now()
    {
        var data = Bench.Samples(32, 10, 3, 16, 16);
        using var model = new CifarResNet { Depth = 8, Size = 16 }.Build(1);
        new ChannelPruning().Apply(model, new() { RemoveMacs = 0.3, Data = Bench.Data, BatchNorm = BatchNormStatistics.Reestimate }, Bench.Context(data));
        foreach (var node in model.Graph.Nodes.Where(n => n.Is("BatchNormalization")).ToArray())
        {
            var (mean, variance) = Moments(model, node, data);
            Assert.All(mean.Zip(node.Inputs[3]!.Initializer!.ToArray<float>()), m => Assert.Equal(m.First, m.Second, 1e-3));
            Assert.All(variance.Zip(node.Inputs[4]!.Initializer!.ToArray<float>()), v => Assert.Equal(v.First, v.Second, 1e-3 * Math.Max(1, v.First)));
        }
    }

    [Fact]
    public void Statistics_stay_where_nobody_asks_for_others()
    {
        var data = Bench.Samples(8, 10, 3, 16, 16);
        using var model = new CifarResNet { Depth = 8, Size = 16 }.Build(1);
        new ChannelPruning().Apply(model, new() { RemoveMacs = 0.3, Importance = new ActivationImportance(), Data = Bench.Data }, Bench.Context(data));
        Assert.All(
            model.Graph.Nodes.Where(n => n.Is("BatchNormalization")), n => Assert.All(n.Inputs[3]!.Initializer!.ToArray<float>(), m => Assert.Equal(0, m)));
    }

    static (double[] Mean, double[] Variance) Moments(Model model, Node node, DataSet data)
    {
        using var inner = model.Clone();
        inner.Graph.SetOutput(0, inner.Graph.Find(node.Inputs[0]!.Name)!);
        var channels = (int)node.Inputs[3]!.Initializer!.Count;
        var values = Bench.Run(inner, data);
        var run = values.Length / data.Count / channels;
        double[] mean = new double[channels], square = new double[channels];
        for (var i = 0; i < values.Length; i++)
        {
            var channel = i / run % channels;
            mean[channel] += values[i] / ((double)run * data.Count);
            square[channel] += (double)values[i] * values[i] / ((double)run * data.Count);
        }

        return (mean, [.. square.Select((s, c) => s - mean[c] * mean[c])]);
    }
}
