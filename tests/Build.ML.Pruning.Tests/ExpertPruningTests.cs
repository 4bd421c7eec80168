using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Pruning.Experts;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Pruning.Tests;

public sealed class ExpertPruningTests
{
    private const int Width = 8, Experts = 6;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Removing_experts_that_are_never_chosen_keeps_outputs(bool isFused)
    {
        // The router's bias keeps tokens away from experts 1 and 4.
        using var model = Mixture(isFused, expert => expert is 1 or 4 ? -100 : 0);
        var data = new Tokens(12);
        var before = Run(model, data);
        var layer = new ExpertPruning().Apply(model, new() { Data = new("calibration"), Sparsity = 1 / 3d }, Context(data)).Layers.Single();
        model.Validate();
        Assert.Equal("pruned", layer.Outcome);
        Assert.Equal([6, 4, 1], layer.Figures.Select(f => f.Value));
        Assert.All(model.Graph.Initializers.Where(i => i.Name is "w1" or "w2"), i => Assert.Equal(4, i.Initializer!.Sizes[0]));
        Assert.Equal(4, model.Graph.Find("router")!.Initializer!.Sizes[1]);
        Assert.Equal([0, 0, 0, 0], model.Graph.Find("bias")!.Initializer!.ToArray<float>());
        var after = Run(model, data);
        for (var i = 0; i < before.Length; i++)
        {
            Assert.Equal(before[i], after[i], 1e-5); // the same products, summed in another order
        }
    }

    [Theory]
    [InlineData(ExpertImportance.Frequency)]
    [InlineData(ExpertImportance.RoutingWeight)]
    public void The_experts_that_stay_are_those_that_the_router_chooses_most(ExpertImportance importance)
    {
        using var model = Mixture(false, expert => expert * 0.05f);
        var data = new Tokens(40);
        var expected = new double[Experts];
        var (router, bias) = (model.Graph.Find("router")!.Initializer!.ToArray<float>(), model.Graph.Find("bias")!.Initializer!.ToArray<float>());
        for (var t = 0; t < data.Count; t++)
        {
            var x = data[t].Inputs[0].Value.ToArray<float>();
            var scores = Enumerable.Range(0, Experts).Select(e => bias[e] + x.Select((v, c) => (double)v * router[c * Experts + e]).Sum()).ToArray();
            foreach (var e in Enumerable.Range(0, Experts).OrderByDescending(e => scores[e]).Take(2))
            {
                expected[e] += importance == ExpertImportance.Frequency ? 1 : Math.Exp(scores[e]) / scores.Sum(Math.Exp);
            }
        }

        int[] best = [.. Enumerable.Range(0, Experts).OrderByDescending(e => expected[e]).Take(3).Order()];
        var experts = model.Graph.Find("w1")!.Initializer!.ToArray<float>();
        var layer = new ExpertPruning().Apply(model, new() { Data = new("calibration"), Sparsity = 0.5, Importance = importance }, Context(data)).Layers.Single();
        Assert.Equal(best.SelectMany(e => experts[(e * Width * Width)..((e + 1) * Width * Width)]), model.Graph.Find("w1")!.Initializer!.ToArray<float>());
        Assert.Equal(best.Sum(e => expected[e]) / expected.Sum(), layer.Figures.First(f => f.Key == "kept_share").Value, 1e-5);
        Run(model, data);
    }

    [Fact]
    public void As_many_experts_stay_as_work_on_a_token()
    {
        using var model = Mixture(false, _ => 0);
        var layer = new ExpertPruning().Apply(model, new() { Data = new("calibration"), Sparsity = 1 }, Context(new Tokens(5))).Layers.Single();
        Assert.Equal(2, layer.Figures.First(f => f.Key == "experts").Value);
        Run(model, new Tokens(5));
    }

    [Fact]
    public void A_model_without_experts_is_refused_and_a_router_that_is_read_elsewhere_is_named()
    {
        using var plain = new Model(new OnnxGraph("plain"), 17) { IrVersion = 8 };
        var x = plain.Graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 4)));
        var y = plain.Graph.Add("Relu", [x], "y");
        y.Type = new TensorType(DataType.Float);
        plain.Graph.AddOutput(y);
        Assert.Equal("BML5411", Assert.Throws<DiagnosticException>(() => new ExpertPruning().Apply(plain, new() { Data = new("c") }, Context(new Tokens(1)))).Diagnostics[0].Code);

        using var read = Mixture(false, _ => 0);
        var other = read.Graph.Add("Relu", [read.Graph.Find("scores")!], "other");
        other.Type = new TensorType(DataType.Float);
        read.Graph.AddOutput(other);
        var error = Assert.Throws<DiagnosticException>(() => new ExpertPruning().Apply(read, new() { Data = new("c") }, Context(new Tokens(1))));
        Assert.Contains("other", error.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    private static float[] Run(Model model, DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return [.. Enumerable.Range(0, data.Count).SelectMany(i => session.Run(data[i].AsBatch().Inputs)[0].ToArray<float>())];
    }

    private static StepContext Context(DataSet data) => new()
    {
        StepId = "experts",
        Data = _ => data,
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
    };

    // Two of six experts, relu(x·W1)·W2 each, weighted by the softmax of their two scores.
    private static Model Mixture(bool isFused, Func<int, float> bias)
    {
        var random = new Random(11);
        var model = new Model(new OnnxGraph("mixture"), 17) { IrVersion = 8 };
        var g = model.Graph;
        var x = g.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), Width)));
        var (router, w1, w2) = (Weight("router", Width, Experts), Weight("w1", Experts, Width, Width), Weight("w2", Experts, Width, Width));
        var scores = g.Add("Add", [g.Add("MatMul", [x, router], "routed"), g.AddInitializer("bias", Tensor.Of([.. Enumerable.Range(0, Experts).Select(bias)], Experts))], "scores");
        Value y;
        if (isFused)
        {
            model.OperatorSets["com.microsoft"] = 1;
            var node = g.CreateNode("MoE", "com.microsoft");
            node.SetInputs(x, scores, w1, null, w2);
            node.SetAttribute(NodeAttribute.Int("k", 2));
            node.SetAttribute(NodeAttribute.Int("normalize_routing_weights", 1));
            node.SetAttribute(NodeAttribute.String("activation_type", "relu"));
            y = node.AddOutput("y");
            g.InsertBefore(null, node);
        }
        else
        {
            var top = g.CreateNode("TopK");
            top.SetInputs(scores, Ints("k", 2));
            var (values, indices) = (top.AddOutput("values"), top.AddOutput("indices"));
            g.InsertBefore(null, top);
            var weights = g.Add("Unsqueeze", [g.Add("Softmax", [values], "weights"), Ints("last", -1)], "columns"); // [n, 2, 1]
            var inputs = g.Add("Unsqueeze", [x, Ints("middle", 1, 2)], "rows"); // [n, 1, 1, w]
            var hidden = g.Add("Relu", [g.Add("MatMul", [inputs, g.Add("Gather", [w1, indices], "chosen1")], "products")], "hidden"); // [n, 2, 1, w]
            var outputs = g.Add("Squeeze", [g.Add("MatMul", [hidden, g.Add("Gather", [w2, indices], "chosen2")], "results"), Ints("second", 2)], "outputs");
            y = g.Add("ReduceSum", [g.Add("Mul", [outputs, weights], "weighted"), Ints("axis", 1)], "y", [NodeAttribute.Int("keepdims", 0)]);
        }

        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), Width));
        g.AddOutput(y);
        return model;

        Value Weight(string name, params long[] sizes) =>
            g.AddInitializer(name, Tensor.Of([.. Enumerable.Range(0, (int)sizes.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)], sizes));

        Value Ints(string name, params long[] values) => g.AddInitializer(name, Tensor.Of(values, values.Length));
    }

    private sealed class Tokens(int count) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                return new([new("", Tensor.Of([.. Enumerable.Range(0, Width).Select(_ => 2 * random.NextSingle() - 1)], Width))], Label.None);
            }
        }
    }
}
