using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Pruning.Budgets;
using Build.ML.Pruning.SparseGpt;
using Build.ML.Pruning.Wanda;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Pruning.Tests;

/// <summary>prune.wanda and prune.sparsegpt on whole models.</summary>
public sealed class CalibratedPruningTests
{
    private static readonly LlamaDecoder Llama = new() { Layers = 2, Hidden = 32, Heads = 4, KeyHeads = 2, Intermediate = 40, Vocabulary = 30, Length = 12, Tied = false };

    [Fact]
    public void Wanda_of_an_example_by_hand()
    {
        // y = x·W, W [3, 2]. Inputs (1,2,0), (2,1,3), (2,2,0): norms 3, 3, 3. Then column 2 by four: norms 3, 3, 12.
        using var plain = Product([1f, -4, 2, 3, -3, 5]);
        new WandaPruning().Apply(plain, new() { Data = new("calibration"), Sparsity = 2 / 3d }, Context(new Rows([[1, 2, 0], [2, 1, 3], [2, 2, 0]])));
        Assert.Equal([0, 0, 0, 0, -3, 5], Weights(plain)["w"]); // rows of W are inputs: output 0 has 1, 2, −3; output 1 has −4, 3, 5
        using var scaled = Product([1f, -4, 2, 3, -3, 5]);
        new WandaPruning().Apply(scaled, new() { Data = new("calibration"), Sparsity = 2 / 3d }, Context(new Rows([[1, 2, 0], [20, 1, 3], [2, 2, 0]])));
        Assert.Equal([1, -4, 0, 0, 0, 0], Weights(scaled)["w"]); // norms √405, 3, 3: 20.1 and 80.5 beat 9 and 15
    }

    [Theory]
    [InlineData("wanda", null)]
    [InlineData("wanda", "2:4")]
    [InlineData("sparsegpt", null)]
    [InlineData("sparsegpt", "2:4")]
    public void A_small_transformer_has_exactly_the_zeros_asked_for_and_the_next_layers_see_what_pruned_ones_give(string method, string? pattern)
    {
        using var model = Trained();
        var before = Weights(model);
        var result = Apply(method, model, pattern, 0.5);
        var after = Weights(model);
        var pruned = result.Layers.Where(l => l.Outcome == "pruned").ToArray();
        Assert.Equal(15, pruned.Length); // 7 of each layer, and the head
        Assert.All(pruned, l => Assert.Equal(0.5, l.Figures.First(f => f.Key == "sparsity").Value));
        Assert.All(pruned, l => Assert.Equal("", l.Reason));
        Assert.All(after.Where(w => !w.Key.EndsWith("_proj.weight") && w.Key.Contains("norm")), w => Assert.Equal(before[w.Key], w.Value));
        model.Validate();
        Assert.All(Run(model), y => Assert.True(float.IsFinite(y)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("2:4")]
    public void On_a_small_transformer_SparseGPT_is_nearer_than_Wanda_which_is_nearer_than_magnitude(string? pattern)
    {
        using var original = Trained();
        var expected = Run(original);
        var errors = new Dictionary<string, double>();
        foreach (var method in new[] { "magnitude", "wanda", "sparsegpt" })
        {
            using var model = Trained();
            Apply(method, model, pattern, 0.5);
            errors[method] = Run(model).Zip(expected, (a, b) => Math.Pow(a - b, 2)).Sum();
        }

        Assert.True(errors["sparsegpt"] < errors["wanda"] && errors["wanda"] < errors["magnitude"], string.Join(", ", errors));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void A_convolutions_output_error_is_what_SparseGPT_tells(int groups)
    {
        using var original = Convolution(groups);
        using var model = Convolution(groups);
        var images = new Random(8);
        var data = new Rows([.. Enumerable.Range(0, 12).Select(_ => Numbers(images, 8 * 81))], [8, 9, 9]);
        var layer = new SparseGptPruning().Apply(model, new() { Data = new("calibration"), Sparsity = 0.4, Dampening = 0 }, Context(data)).Layers.Single();
        var (expected, actual) = (Run(original, data), Run(model, data));
        var error = expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum() / (12 * 81);
        Assert.Equal(1, layer.Figures.First(f => f.Key == "output_error").Value / error, 1e-3); // sums in float32
        Assert.Equal((int)Math.Round(0.4 * 12 * 8 / groups * 9), Weights(model)["w"].Count(w => w == 0));
    }

    [Theory]
    [InlineData("wanda")]
    [InlineData("sparsegpt")]
    public void A_pattern_of_a_convolution_runs_along_its_channels(string method)
    {
        using var model = Convolution(1);
        var images = new Random(8);
        var data = new Rows([.. Enumerable.Range(0, 4).Select(_ => Numbers(images, 8 * 81))], [8, 9, 9]);
        Apply(method, model, "1:4", 0, data);
        var weights = Weights(model)["w"];
        for (var filter = 0; filter < 12; filter++)
        {
            for (var place = 0; place < 9; place++)
            {
                for (var first = 0; first < 8; first += 4)
                {
                    Assert.Equal(3, Enumerable.Range(first, 4).Count(c => weights[(filter * 8 + c) * 9 + place] == 0));
                }
            }
        }
    }

    [Fact]
    public void What_calibration_does_not_reach_is_pruned_by_magnitude_and_says_so()
    {
        using var model = Product([1f, -4, 2, 3, -3, 5]);
        var graph = model.Graph;
        var batched = graph.AddInitializer("stack", Tensor.Of([.. Enumerable.Range(1, 8).Select(i => (float)i)], 2, 2, 2));
        var y = graph.Add("MatMul", [graph.Outputs[0], batched], "stacked");
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        var layers = new WandaPruning().Apply(model, new() { Data = new("calibration") }, Context(new Rows([[1, 2, 0]]))).Layers;
        Assert.Contains("by magnitude", layers.Single(l => l.Layer == "stacked").Reason);
        Assert.Equal([0, 0, 0, 0, 5, 6, 7, 8], Weights(model)["stack"]);
    }

    [Theory]
    [InlineData("wanda")]
    [InlineData("sparsegpt")]
    public void A_killed_step_goes_on_at_the_layer_where_it_was_with_the_same_weights(string method)
    {
        var folder = Directory.CreateTempSubdirectory("pruning").FullName;
        try
        {
            using var whole = Trained();
            Apply(method, whole, null, 0.5);
            using var killed = Trained();
            var context = Context(Tokens()) with { CheckpointDirectory = folder, Progress = new Stopper("layer 8/") };
            Assert.Throws<OperationCanceledException>(() => Apply(method, killed, null, 0.5, context: context));
            Assert.Equal(7, Directory.GetFiles(folder).Length);
            using var resumed = Trained();
            Apply(method, resumed, null, 0.5, context: Context(Tokens()) with { CheckpointDirectory = folder });
            var (expected, actual) = (Weights(whole), Weights(resumed));
            Assert.All(expected, w => Assert.Equal(w.Value, actual[w.Key]));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_pattern_with_a_budget_is_refused()
    {
        var options = new WandaPruning.Options { Data = new("calibration"), Pattern = "2:4", Budget = new ErkBudget() };
        Assert.Single(options.Validate(new(options)));
        var magnitude = new MagnitudePruning.Options { Scope = PruningScope.Global, Budget = new ErkBudget() };
        Assert.Single(magnitude.Validate(new(magnitude)));
    }

    private static StepResult Apply(string method, Model model, string? pattern, double sparsity, DataSet? data = null, StepContext? context = null)
    {
        context ??= Context(data ?? Tokens());
        return method switch
        {
            "wanda" => new WandaPruning().Apply(model, new() { Data = new("calibration"), Pattern = pattern, Sparsity = sparsity }, context),
            "sparsegpt" => new SparseGptPruning().Apply(model, new() { Data = new("calibration"), Pattern = pattern, Sparsity = sparsity }, context),
            _ => new MagnitudePruning().Apply(model, new() { Pattern = pattern, Sparsity = sparsity }, context),
        };
    }

    private static StepContext Context(DataSet data) => new()
    {
        StepId = "sparse",
        Data = _ => data,
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        Threads = 2,
        ScratchDirectory = Path.GetTempPath(),
    };

    // Untrained, but with activations of unequal size, as trained ones have: gains of the normalizations differ by channel.
    private static Model Trained()
    {
        var model = Llama.Build(3);
        foreach (var gain in model.Graph.Initializers.Where(i => i.Name.Contains("norm", StringComparison.Ordinal) && i.Initializer!.Count == 32).ToArray())
        {
            model.Graph.SetInitializer(gain, Tensor.Of([.. Enumerable.Range(0, 32).Select(c => MathF.Pow(2, c * 7 % 11 / 2f - 2))], gain.Initializer!.Sizes.AsSpan()));
        }

        return model;
    }

    private static Rows Tokens(int seed = 4)
    {
        var random = new Random(seed);
        return new Rows([.. Enumerable.Range(0, 24).Select(_ => Enumerable.Range(0, 12).Select(_ => (float)random.Next(30)).ToArray())], [12], isTokens: true);
    }

    private static float[] Run(Model model, DataSet? data = null)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        data ??= Tokens(5);
        return [.. Enumerable.Range(0, data.Count).SelectMany(i => session.Run(data[i].AsBatch().Inputs)[0].ToArray<float>())];
    }

    private static float[] Numbers(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() + random.NextSingle() - 0.8f)];

    private static Dictionary<string, float[]> Weights(Model model) =>
        model.Graph.Initializers.Where(i => i.Initializer!.Type == DataType.Float).ToDictionary(i => i.Name, i => i.Initializer!.ToArray<float>());

    private static Model Product(float[] weights)
    {
        var model = new Model(new OnnxGraph("product"), 17) { IrVersion = 8 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 3)));
        var y = model.Graph.Add("MatMul", [x, model.Graph.AddInitializer("w", Tensor.Of(weights, 3, 2))], "y");
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        return model;
    }

    private static Model Convolution(int groups)
    {
        var model = new Model(new OnnxGraph("convolution"), 17) { IrVersion = 8 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 8, 9, 9)));
        var w = model.Graph.AddInitializer("w", Tensor.Of(Numbers(new Random(2), 12 * 8 / groups * 9), 12, 8 / groups, 3, 3));
        var y = model.Graph.Add("Conv", [x, w], "y", [NodeAttribute.Int("group", groups), NodeAttribute.Ints("pads", 1, 1, 1, 1)]);
        y.Type = new TensorType(DataType.Float);
        model.Graph.AddOutput(y);
        return model;
    }

    private sealed class Rows(float[][] rows, long[]? sizes = null, bool isTokens = false) : DataSet
    {
        public override int Count => rows.Length;

        public override Sample this[int index] => new(
            [new("", isTokens ? Tensor.Of(Array.ConvertAll(rows[index], t => (long)t), sizes) : Tensor.Of(rows[index], sizes ?? [rows[index].Length]))], Label.None);
    }

    private sealed class Stopper(string phase) : IProgress<StepProgress>
    {
        public void Report(StepProgress value)
        {
            if (value.Phase.StartsWith(phase, StringComparison.Ordinal))
            {
                throw new OperationCanceledException();
            }
        }
    }
}
