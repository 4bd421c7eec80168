using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Architectures.Images;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Pruning.Depth;

namespace Build.ML.Pruning.Tests.Depth;

public sealed class LayerPruningTests
{
    [Fact]
    public void A_layer_whose_function_is_zero_has_no_influence_and_goes_without_changing_outputs()
    {
        using var model = Networks.Stream(4, i => i == 2 ? 0 : 0.3);
        var x = Networks.Normal(5, 1, 6, 8);
        var before = Networks.Run(model, x);
        var result = new LayerPruning().Apply(model, new() { Count = 1, Data = Networks.Data }, Networks.Context(Rows(20)));
        Assert.Equal(before, Networks.Run(model, x));
        Assert.Empty(model.Validate());
        Assert.Equal(["kept", "kept", "removed", "kept"], result.Layers.Select(l => l.Outcome));
        Assert.InRange(Math.Abs(result.Layers[2].Figures[0].Value), 0, 1e-6); // float32's rounding
        Assert.All([0, 1, 3], i => Assert.InRange(result.Layers[i].Figures[0].Value, 1e-3, 2));
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Name.StartsWith("block2", StringComparison.Ordinal));
    }

    [Fact]
    public void Block_influence_is_one_minus_the_mean_cosine_of_what_enters_and_what_leaves()
    {
        using var model = Networks.Stream(2, _ => 0.5);
        var data = Rows(9);
        var result = new LayerPruning().Apply(model.Clone(), new() { Count = 1, Data = Networks.Data }, Networks.Context(data));
        using var watched = model.Clone();
        watched.Graph.SetOutput(0, watched.Graph.Find("block0.sum")!);
        var expected = Enumerable.Range(0, data.Count).Average(i =>
        {
            var x = data[i].Inputs[0].Value;
            float[] a = x.ToArray<float>(), b = Networks.Run(watched, x.Reshape(1, 8));
            return 1 - (a.Zip(b).Sum(p => (double)p.First * p.Second) / Math.Sqrt(a.Sum(v => (double)v * v) * b.Sum(v => (double)v * v)));
        });
        Assert.Equal(expected, result.Layers[0].Figures[0].Value, 1e-6);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_decoder_without_a_layer_is_the_decoder_built_without_it(int layer)
    {
        using var model = Networks.Llama(3);
        using var expected = Networks.Llama(2);
        foreach (var value in expected.Graph.Initializers.Where(i => i.Name.Contains("layers.", StringComparison.Ordinal)).ToArray())
        {
            var number = int.Parse(value.Name.Split('.')[2], System.Globalization.CultureInfo.InvariantCulture);
            expected.Graph.SetInitializer(value, model.Graph.Find(value.Name.Replace($"layers.{number}.", $"layers.{(number >= layer ? number + 1 : number)}.", StringComparison.Ordinal))!.Initializer);
        }

        var result = new LayerPruning().Apply(
            model, new() { Count = 1, Include = [$"model.layers.{layer}"], Data = Networks.Data }, Networks.Context(Tokens(3)));
        Assert.Equal($"model.layers.{layer}", Assert.Single(result.Layers, l => l.Outcome == "removed").Layer);
        var ids = Networks.Ids(8, 50, 2, 12);
        Assert.Equal(Networks.Run(expected, ids), Networks.Run(model, ids));
        Assert.Equal(expected.Graph.NodeCount, model.Graph.NodeCount);
        Assert.Equal(expected.Graph.Initializers.Count, model.Graph.Initializers.Count);
    }

    [Fact]
    public void Single_connections_can_go_too()
    {
        using var model = Networks.Llama(3);
        var result = new LayerPruning().Apply(
            model, new() { Sparsity = 0.5, Unit = LayerUnit.Connection, Data = Networks.Data }, Networks.Context(Tokens(3)));
        Assert.Equal(6, result.Layers.Length);
        Assert.Equal(3, result.Layers.Count(l => l.Outcome == "removed"));
        Assert.Empty(model.Validate());
        Assert.Equal(12 * 50, Networks.Run(model, Networks.Ids(8, 50, 1, 12)).Length);
    }

    [Fact]
    public void Layers_of_an_encoder_end_after_their_last_normalization()
    {
        using var model = new BertEncoder { Layers = 3, Hidden = 16, Heads = 2, Intermediate = 32, Vocabulary = 40, Positions = 12, Length = 12 }.Build(1);
        var run = Assert.Single(ResidualBlocks.Find(model));
        Assert.Equal(3, run.Blocks.Length);
        Assert.All(run.Blocks, b => Assert.Equal("LayerNormalization", b.Output.Producer!.OpType));
        Assert.All(run.Blocks, b => Assert.Equal(2, b.Parts.Length));
        Assert.Equal(run.Blocks[0].Output, run.Blocks[1].Input);
    }

    [Fact]
    public void Blocks_of_a_residual_network_are_those_with_an_identity_as_shortcut_and_end_after_their_rectifier()
    {
        using var model = new CifarResNet { Depth = 20 }.Build(1);
        var runs = ResidualBlocks.Find(model);
        Assert.Equal([3, 2, 2], runs.Select(r => r.Blocks.Length)); // those that change the number of channels are none
        Assert.All(runs.SelectMany(r => r.Blocks), b => Assert.Equal("Relu", b.Output.Producer!.OpType));
        new LayerPruning().Apply(model, new() { Sparsity = 0.5, Data = Networks.Data }, Networks.Context(Images(4)));
        Assert.Empty(model.Validate());
        Assert.Equal(10, Networks.Run(model, Networks.Normal(3, 1, 1, 3, 32, 32)).Length);
    }

    [Fact]
    public void What_a_metric_loses_without_a_layer_decides_where_it_is_asked_for()
    {
        using var model = Networks.Stream(4, _ => 0.3);
        var kept = new List<int>();
        var result = new LayerPruning().Apply(
            model, new() { Count = 2, Importance = new MetricLoss { Metric = new("accuracy") }, Data = Networks.Data },
            Networks.Context() with { Evaluate = Judge });
        Assert.Equal(["removed", "kept", "removed", "kept"], result.Layers.Select(l => l.Outcome));

        // The accuracy that is left without block 0, 1, 2, 3.
        ImmutableArray<MetricValue> Judge(Model candidate, Abstractions.References.DataReference data, ImmutableArray<Abstractions.References.MetricReference> metrics)
        {
            var missing = Enumerable.Range(0, 4).Single(i => candidate.Graph.Find($"block{i}.a") is null);
            return [new("accuracy", new[] { 0.9, 0.5, 0.8, 0.7 }[missing], "ratio", Direction.HigherIsBetter)];
        }
    }

    [Fact]
    public void A_removed_layer_takes_its_cache_inputs_and_outputs_along()
    {
        using var model = Cached(3);
        var result = new LayerPruning().Apply(model, new() { Count = 1, Include = ["layer1*"], Importance = new MetricLoss { Metric = new("m") }, Data = Networks.Data }, Networks.Context() with
        {
            Evaluate = (_, _, _) => [new("m", 1, "count", Direction.LowerIsBetter)],
        });
        Assert.Empty(model.Validate());
        Assert.Equal(["x", "past.0", "past.2"], model.Graph.Inputs.Select(i => i.Name));
        Assert.Equal(["y", "present.0", "present.2"], model.Graph.Outputs.Select(o => o.Name));
        Assert.Contains("past.1", Assert.Single(result.Notes), StringComparison.Ordinal);
        Assert.Equal(8, Networks.Run(model, Networks.Normal(1, 1, 1, 2, 4), Networks.Normal(2, 1, 1, 3, 4), Networks.Normal(3, 1, 1, 3, 4)).Length);
    }

    [Fact]
    public void A_layer_whose_inside_the_model_returns_stays_and_says_so()
    {
        using var model = Networks.Stream(2, _ => 0.3);
        model.Graph.AddOutput(model.Graph.Find("block0.relu")!);
        Assert.Contains("block0.relu", ResidualBlocks.Find(model)[0].Blocks[0].Obstacle, StringComparison.Ordinal);
        var error = Assert.Throws<DiagnosticException>(() => new LayerPruning().Apply(model, new() { Count = 2, Data = Networks.Data }, Networks.Context(Rows(4))));
        Assert.Equal("BML5651", error.Diagnostics[0].Code);
        Assert.Contains("block0.relu", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_without_residual_connections_is_refused()
    {
        using var model = new LeNet().Build(1);
        Assert.Equal("BML5650", Assert.Throws<DiagnosticException>(() => new LayerPruning().Apply(model, new(), Networks.Context())).Diagnostics[0].Code);
    }

    [Fact]
    public void Without_data_block_influence_says_what_it_needs()
    {
        using var model = Networks.Stream(2, _ => 0.3);
        Assert.Equal("BML5630", Assert.Throws<DiagnosticException>(() => new LayerPruning().Apply(model, new(), Networks.Context())).Diagnostics[0].Code);
    }

    /// <summary>x + softmax(x·Kᵀ)·V with K and V what was cached and x's own, three times.</summary>
    private static Model Cached(int layers)
    {
        var model = new Model();
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("batch"), new Dimension("length"), 4)));
        var presents = new List<Value>();
        for (var i = 0; i < layers; i++)
        {
            var past = graph.AddInput($"past.{i}", new TensorType(DataType.Float, new Shape(new Dimension("batch"), new Dimension("past"), 4)));
            var key = graph.Add("MatMul", [x, graph.AddInitializer($"layer{i}.k", Networks.Normal(i, 1, 4, 4))], $"layer{i}.key");
            var all = graph.Add("Concat", [past, key], $"present.{i}", [NodeAttribute.Int("axis", 1)]);
            var scores = graph.Add("MatMul", [x, graph.Add("Transpose", [all], $"layer{i}.turned", [NodeAttribute.Ints("perm", 0, 2, 1)])], $"layer{i}.scores");
            var mixed = graph.Add("MatMul", [graph.Add("Softmax", [scores], $"layer{i}.shares"), all], $"layer{i}.mixed");
            x = graph.Add("Add", [x, mixed], i == layers - 1 ? "y" : $"layer{i}.sum");
            presents.Add(all);
        }

        graph.AddOutput(x);
        presents.ForEach(graph.AddOutput);
        return model;
    }

    private static Samples Rows(int count) => new("x", [.. Enumerable.Range(0, count).Select(i => Networks.Normal(100 + i, 1, 8))]);

    private static Samples Tokens(int count) => new("input_ids", [.. Enumerable.Range(0, count).Select(i => Networks.Ids(100 + i, 50, 12))]);

    private static Samples Images(int count) => new("", [.. Enumerable.Range(0, count).Select(i => Networks.Normal(100 + i, 1, 3, 32, 32))]);
}
