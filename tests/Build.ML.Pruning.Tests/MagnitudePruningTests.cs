using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Pruning.Tests;

public sealed class MagnitudePruningTests
{
    private static readonly StepContext Context = new()
    {
        StepId = "sparse",
        Data = _ => throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
    };

    [Theory]
    [InlineData(0)]
    [InlineData(0.37)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(1)]
    public void Each_layer_loses_exactly_as_many_weights_as_asked_for_and_the_smallest(double sparsity)
    {
        using var model = Network();
        var before = Weights(model);
        new MagnitudePruning().Apply(model, new() { Sparsity = sparsity }, Context);
        var after = Weights(model);
        foreach (var (name, weights) in before)
        {
            var kept = after[name];
            var gone = (int)Math.Round(weights.Length * sparsity);
            Assert.Equal(gone, kept.Count(w => w == 0));
            AssertSmallestGone(weights, kept);
        }
    }

    [Fact]
    public void Globally_the_smallest_of_all_layers_go_exactly_as_many_as_asked_for()
    {
        using var model = Network();
        var before = Weights(model);
        new MagnitudePruning().Apply(model, new() { Sparsity = 0.6, Scope = PruningScope.Global }, Context);
        var after = Weights(model);
        float[] all = [.. before.OrderBy(p => p.Key).SelectMany(p => p.Value)], kept = [.. after.OrderBy(p => p.Key).SelectMany(p => p.Value)];
        Assert.Equal((int)Math.Round(all.Length * 0.6), kept.Count(w => w == 0));
        AssertSmallestGone(all, kept);

        // The layer with the smaller weights is the sparser one.
        Assert.True(after["conv"].Count(w => w == 0) / (double)after["conv"].Length > after["fc"].Count(w => w == 0) / (double)after["fc"].Length);
    }

    [Theory]
    [InlineData(PruningScope.Layer)]
    [InlineData(PruningScope.Global)]
    public void Of_equal_weights_the_first_go(PruningScope scope)
    {
        using var model = Network(_ => 0.25f);
        new MagnitudePruning().Apply(model, new() { Sparsity = 0.5, Scope = scope }, Context);
        var after = Weights(model);
        var total = after.Values.Sum(w => w.Length);
        Assert.Equal(total / 2, after.Values.Sum(w => w.Count(x => x == 0)));
        foreach (var weights in after.Values)
        {
            var zeros = weights.Count(w => w == 0);
            Assert.All(weights[..zeros], w => Assert.Equal(0, w));
        }
    }

    [Theory]
    [InlineData("2:4", 2, 4)]
    [InlineData("1:4", 1, 4)]
    [InlineData("4:8", 4, 8)]
    [InlineData("2:3", 2, 3)] // does not divide the sizes
    public void N_of_every_M_along_the_reduction_axis_stay_the_greatest(string pattern, int keep, int of)
    {
        using var model = Network();
        var before = Weights(model);
        new MagnitudePruning().Apply(model, new() { Pattern = pattern }, Context);
        var after = Weights(model);

        // Weight, size of the reduction axis, product of the sizes after it.
        foreach (var (name, length, inner) in new[] { ("conv", 8, 9), ("product", 24, 20), ("fc", 20, 1) })
        {
            for (var start = 0; start < before[name].Length; start += length * inner)
            {
                for (var i = 0; i < inner; i++)
                {
                    for (var first = 0; first < length; first += of)
                    {
                        var group = Enumerable.Range(first, Math.Min(of, length - first)).Select(j => start + j * inner + i).ToArray();
                        Assert.Equal(Math.Min(keep, group.Length), group.Count(g => after[name][g] != 0));
                        AssertSmallestGone([.. group.Select(g => before[name][g])], [.. group.Select(g => after[name][g])]);
                    }
                }
            }
        }
    }

    [Fact]
    public void The_report_tells_the_sparsity_of_each_layer_and_that_time_is_not_saved()
    {
        using var model = Network();
        var result = new MagnitudePruning().Apply(model, new() { Sparsity = 0.25, Exclude = ["fc"] }, Context);
        Assert.Equal(["pruned", "pruned", "left"], result.Layers.OrderByDescending(l => l.Outcome).Select(l => l.Outcome));
        Assert.All(result.Layers.Where(l => l.Outcome == "pruned"), l => Assert.Equal(0.25, l.Figures.Single(f => f.Key == "sparsity").Value, 3));
        Assert.Contains("not faster", Assert.Single(result.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_saved_model_holds_the_zeros_and_runs()
    {
        using var folder = new TemporaryFolder();
        using (var model = Network())
        {
            new MagnitudePruning().Apply(model, new() { Pattern = "2:4" }, Context).Model.Save(folder.PathOf("m.onnx"));
        }

        using var saved = Model.Open(folder.PathOf("m.onnx"));
        var weights = Weights(saved)["conv"];
        Assert.Equal(weights.Length / 2, weights.Count(w => w == 0));
        using var session = new OnnxRuntimeInference().Open(saved);
        Assert.Equal(10, session.Run([new("", Tensor.Of(new float[8 * 16], 1, 8, 4, 4))])[0].Count);
    }

    [Theory]
    [InlineData("4:4")]
    [InlineData("0:4")]
    [InlineData("2:99")]
    [InlineData("half")]
    public void A_pattern_that_makes_no_sense_is_refused(string pattern)
    {
        var options = new MagnitudePruning.Options { Pattern = pattern };
        Assert.False(Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true));
    }

    [Fact]
    public void A_selection_that_leaves_nothing_is_an_error()
    {
        using var model = Network();
        var error = Assert.Throws<DiagnosticException>(() => new MagnitudePruning().Apply(model, new() { OpTypes = ["ConvTranspose"] }, Context));
        Assert.Equal("BML5406", error.Diagnostics[0].Code);
        error = Assert.Throws<DiagnosticException>(() => new MagnitudePruning().Apply(model, new() { OpTypes = ["Relu"] }, Context));
        Assert.Equal("BML5402", error.Diagnostics[0].Code);
    }

    // What stayed is unchanged, and nothing that went was greater than anything that stayed.
    private static void AssertSmallestGone(float[] before, float[] after)
    {
        float greatestGone = 0, leastKept = float.PositiveInfinity;
        for (var i = 0; i < before.Length; i++)
        {
            if (after[i] == 0)
            {
                greatestGone = Math.Max(greatestGone, Math.Abs(before[i]));
            }
            else
            {
                Assert.Equal(before[i], after[i]);
                leastKept = Math.Min(leastKept, Math.Abs(before[i]));
            }
        }

        Assert.True(greatestGone <= leastKept, $"{greatestGone} went, {leastKept} stayed");
    }

    private static Dictionary<string, float[]> Weights(Model model) =>
        model.Graph.Initializers.ToDictionary(i => i.Name, i => i.Initializer!.ToArray<float>());

    // Conv [12,8,3,3], MatMul [24,20], Gemm [10,20] transposed; the conv's weights are a tenth as large.
    private static Model Network(Func<int, float>? fill = null)
    {
        var random = new Random(5);
        var model = new Model(new OnnxGraph("network"), 17) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 8, 4, 4)));
        var y = graph.Add("Conv", [x, Weight("conv", 0.1f, 12, 8, 3, 3)], "features");
        y = graph.Add("Flatten", [y], "flat");
        y = graph.Add("Gemm", [graph.Add("MatMul", [Slice(y), Weight("product", 1, 24, 20)], "hidden"), Weight("fc", 1, 10, 20)], "y", [NodeAttribute.Int("transB", 1)]);
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        return model;

        Value Weight(string name, float scale, params long[] sizes) => graph.AddInitializer(
            name, Tensor.Of(Enumerable.Range(0, (int)sizes.Aggregate((a, b) => a * b)).Select(i => fill?.Invoke(i) ?? scale * (random.NextSingle() - 0.5f)).ToArray(), sizes));

        // [1,48] → [1,24] without further constants.
        Value Slice(Value value) => graph.Add("Mul", [Half(value, 0), Half(value, 1)], "halves");

        Value Half(Value value, int index)
        {
            var node = graph.Nodes.FirstOrDefault(n => n.Is("Split"));
            if (node is null)
            {
                node = graph.CreateNode("Split");
                node.SetInputs(value);
                node.SetAttribute(NodeAttribute.Int("axis", 1));
                node.AddOutput("left");
                node.AddOutput("right");
                graph.InsertBefore(null, node);
            }

            return node.Outputs[index];
        }
    }
}
