using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.WeightSharing.Layers;
using Trainings = Build.ML.Training.Tests.Training;

namespace Build.ML.WeightSharing.Tests;

public sealed class LayerSharingTests
{
    [Theory]
    [InlineData(SharingOrder.Sequence, 6, 3, new[] { 0, 0, 1, 1, 2, 2 })]
    [InlineData(SharingOrder.Sequence, 5, 3, new[] { 0, 0, 1, 1, 2 })]
    [InlineData(SharingOrder.Cycle, 6, 3, new[] { 0, 1, 2, 0, 1, 2 })]
    [InlineData(SharingOrder.CycleReverse, 6, 3, new[] { 0, 1, 2, 2, 1, 0 })]
    [InlineData(SharingOrder.CycleReverse, 9, 3, new[] { 0, 1, 2, 0, 1, 2, 2, 1, 0 })]
    [InlineData(SharingOrder.CycleReverse, 2, 1, new[] { 0, 0 })]
    public void Layers_are_grouped_in_the_order_asked_for(SharingOrder order, int layers, int groups, int[] expected) =>
        Assert.Equal(expected, LayerGroups.Of(layers, groups, order, (_, _) => throw new InvalidOperationException()));

    [Fact]
    public void Similar_layers_are_those_whose_weights_are_nearest()
    {
        using var model = Network(4);
        Copy(model, from: 3, to: 0, noise: 0.01f);
        Copy(model, from: 2, to: 1, noise: 0.01f);
        var result = new LayerSharing().Apply(model, new() { Order = SharingOrder.Similar }, SharedNetworks.Context);
        Assert.Equal(["with 1 more", "with 1 more", "with block1", "with block0"], result.Layers.Select(l => l.Reason));
        Assert.All(result.Layers, l => Assert.InRange(l.Figures[0].Value, 0, 0.01));
    }

    [Theory]
    [InlineData(SharedStart.Average)]
    [InlineData(SharedStart.First)]
    public void Layers_of_equal_weights_share_without_changing_outputs(SharedStart start)
    {
        using var model = Network(3);
        Copy(model, from: 0, to: 1);
        Copy(model, from: 0, to: 2);
        var before = Run(model);
        new LayerSharing().Apply(model, new() { Layers = 3, Start = start }, SharedNetworks.Context);
        Assert.Empty(model.Validate());
        Assert.All(before.Zip(Run(model)), p => Assert.Equal(p.First, p.Second, start == SharedStart.First ? 0 : 1e-5)); // a third of a sum of three rounds
        Assert.Equal(4, model.Graph.Initializers.Count(i => i.Initializer!.Rank == 2)); // in, out and one a of and one b of all three
    }

    [Fact]
    public void Tied_layers_are_one_set_of_bytes_in_the_file()
    {
        using var folder = new TemporaryFolder();
        using var model = Network(4, width: 64);
        string Save(string name)
        {
            var path = Path.Combine(folder.FullPath, name);
            model.Save(path);
            return path;
        }

        var before = new FileInfo(Save("before.onnx")).Length;
        new LayerSharing().Apply(model, new() { Layers = 4 }, SharedNetworks.Context);
        var after = new FileInfo(Save("after.onnx")).Length;

        // Three of four layers' two matrices and one bias, and the headers of nine initializers.
        Assert.InRange(before - after, 3 * (2 * 64 * 64 + 64) * 4, (3 * (2 * 64 * 64 + 64) * 4) + (9 * 64));
        using var read = Model.Open(Path.Combine(folder.FullPath, "after.onnx"));
        Assert.Equal(Run(model), Run(read));
        Assert.Equal(4, read.Graph.Find("block0.a")!.Uses.Count);
    }

    [Fact]
    public void Shared_weights_begin_as_the_mean_of_those_they_replace()
    {
        using var model = Network(2);
        float[] a = Weight(model, "block0.b"), b = Weight(model, "block1.b");
        new LayerSharing().Apply(model, new(), SharedNetworks.Context);
        Assert.Equal(a.Zip(b).Select(p => (p.First + p.Second) / 2), Weight(model, "block0.b"));
        Assert.Null(model.Graph.Find("block1.b"));
    }

    [Fact]
    public void Training_moves_shared_weights_by_the_gradients_of_all_layers_that_read_them()
    {
        // From equal weights, one step of plain gradient descent moves a shared weight by what it moves those of the layers together.
        var data = Trainings.Circle(64);
        var plan = new TrainingPlan
        {
            Options = new TrainingOptions { Data = Trainings.Data, Steps = 1, BatchSize = 64, Optimizer = new GradientDescent { LearningRate = 0.1, Momentum = 0 } },
            Losses = [new CrossEntropy()],
        };
        using var apart = Network(2);
        Copy(apart, from: 0, to: 1);
        var start = Weight(apart, "block0.a");
        using var shared = apart.Clone();
        new LayerSharing().Apply(shared, new() { Start = SharedStart.First }, SharedNetworks.Context);
        new Trainer(Trainings.Context(data)).Fit(apart, plan);
        new Trainer(Trainings.Context(data)).Fit(shared, plan);
        float[] first = Weight(apart, "block0.a"), second = Weight(apart, "block1.a"), together = Weight(shared, "block0.a");
        Assert.Contains(start.Zip(together), p => Math.Abs(p.First - p.Second) > 1e-3);
        for (var i = 0; i < start.Length; i++)
            Assert.Equal(first[i] + second[i] - start[i], together[i], 1e-5);
        Assert.Equal(2, shared.Graph.Find("block0.a")!.Uses.Count);
    }

    [Fact]
    public void Excluded_layers_keep_weights_of_their_own()
    {
        using var model = Network(3);
        var kept = Weight(model, "block1.a");
        var result = new LayerSharing().Apply(model, new() { Exclude = ["block1"] }, SharedNetworks.Context);
        Assert.Equal(["shared", "left", "shared"], result.Layers.Select(l => l.Outcome));
        Assert.Equal(kept, Weight(model, "block1.a"));
    }

    [Fact]
    public void A_model_without_two_layers_that_are_alike_is_refused()
    {
        using var model = Network(1);
        Assert.Equal("BML5760", Assert.Throws<DiagnosticException>(() => new LayerSharing().Apply(model, new(), SharedNetworks.Context)).Diagnostics[0].Code);
    }

    private static Model Network(int blocks, int width = 8)
    {
        var graph = new OnnxGraph("blocks");
        var input = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
        var x = graph.Add("MatMul", [input, graph.AddInitializer("in", Random(1, 2, width))], "entered");
        for (var i = 0; i < blocks; i++)
        {
            var up = graph.Add("Gemm", [x, graph.AddInitializer($"block{i}.a", Random(10 + i, width, width)), graph.AddInitializer($"block{i}.bias", Random(20 + i, width))], $"block{i}.up");
            var down = graph.Add("MatMul", [graph.Add("Relu", [up], $"block{i}.relu"), graph.AddInitializer($"block{i}.b", Random(30 + i, width, width))], $"block{i}.down");
            x = graph.Add("Add", [x, down], $"block{i}.sum");
        }

        var y = graph.Add("MatMul", [x, graph.AddInitializer("out", Random(2, width, 2))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 2));
        graph.AddOutput(y);
        return new Model(graph);
    }

    private static void Copy(Model model, int from, int to, float noise = 0)
    {
        foreach (var name in new[] { "a", "b", "bias" })
        {
            var (source, target) = (model.Graph.Find($"block{from}.{name}")!.Initializer!, model.Graph.Find($"block{to}.{name}")!);
            var other = target.Initializer!.ToArray<float>();
            model.Graph.SetInitializer(target, Tensor.Of(source.ToArray<float>().Zip(other).Select(p => p.First + (noise * p.Second)).ToArray(), source.Sizes.AsSpan()));
        }
    }

    private static Tensor Random(int seed, params long[] sizes) => Tensor.Of([.. KMeansTests.Normal((int)sizes.Aggregate(1L, (a, b) => a * b), seed).Select(v => 0.3f * v)], sizes);

    private static float[] Weight(Model model, string name) => model.Graph.Find(name)!.Initializer!.ToArray<float>();

    private static float[] Run(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new("x", Tensor.Of(KMeansTests.Normal(10, 3), 5, 2))])[0].ToArray<float>();
    }
}
