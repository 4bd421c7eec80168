using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using ValidationContext = System.ComponentModel.DataAnnotations.ValidationContext;

namespace Build.ML.Optimization.Tests;

public sealed class GraphOptimizationTests
{
    [Fact]
    public void Conv_batch_norm_scale_and_hard_swish_become_conv_and_two_nodes_with_the_same_outputs()
    {
        using var model = MobileBlock();
        var feeds = ImmutableArray.Create(new KeyValuePair<string, Tensor>("x", Random(7, 2, 3, 9, 9)));
        var before = Run(model, feeds);

        var result = Apply(model, new());

        Assert.Equal(["Conv", "HardSigmoid", "Mul"], model.Graph.Nodes.Select(n => n.OpType).Order());
        Assert.Equal(["y"], model.Graph.Outputs.Select(o => o.Name));
        // Folding rounds each weight once more: relative 2⁻²⁴ per product, 27 products.
        AssertClose(before[0], Run(model, feeds)[0], 5e-6);
        Assert.Contains(result.Layers, l => l is { Layer: "fold-batch-norm", Outcome: "changed" } && l.Figures[0].Value == 1);
        Assert.Contains(result.Layers, l => l is { Layer: "merge-transposes", Outcome: "left" });
        Assert.Contains("nodes became 3", string.Join(' ', result.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_model_gives_the_same_bytes()
    {
        using var first = MobileBlock();
        using var second = MobileBlock();
        Apply(first, new());
        Apply(second, new());

        Assert.Equal(first.ToBytes(), second.ToBytes());
    }

    [Fact]
    public void Only_the_named_passes_run()
    {
        using var model = MobileBlock();

        var result = Apply(model, new() { Passes = ["fuse-hard-swish"] });

        Assert.Equal(["fuse-hard-swish"], result.Layers.Select(l => l.Layer));
        Assert.Contains(model.Graph.Nodes, n => n.OpType == "BatchNormalization");
        Assert.DoesNotContain(model.Graph.Nodes, n => n.OpType == "Clip");
    }

    [Fact]
    public void An_unknown_pass_is_a_validation_error_that_suggests_the_nearest()
    {
        var options = new GraphOptimization.Options { Passes = ["fold-constant"] };

        var error = Assert.Single(options.Validate(new ValidationContext(options)));

        Assert.Equal("There is no pass 'fold-constant'. Did you mean 'fold-constants'?", error.ErrorMessage);
    }

    [Fact]
    public void The_operator_set_asked_for_is_reached_and_outputs_stay()
    {
        using var model = MobileBlock(opset: 9);
        var feeds = ImmutableArray.Create(new KeyValuePair<string, Tensor>("x", Random(7, 2, 3, 9, 9)));
        var before = Run(model, feeds);

        Apply(model, new() { Opset = 21 });

        Assert.Equal(21, model.Opset);
        AssertClose(before[0], Run(model, feeds)[0], 5e-6);
    }

    [Fact]
    public void A_node_that_cannot_be_carried_over_is_named_and_the_model_stays_whole()
    {
        using var model = new Model(opset: 8);
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 2)));
        model.Graph.AddOutput(model.Graph.Add("Scan", [x], "y"));
        var before = model.ToBytes();

        var error = Assert.Throws<DiagnosticException>(() => Apply(model, new() { Opset = 13 }));

        Assert.Equal("BML2120", Assert.Single(error.Diagnostics).Code);
        Assert.Contains("Scan 'y'", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, model.ToBytes());
    }

    /// <summary>As MobileNetV3 and PP-LCNetV3 export: Conv, BatchNormalization, a learned scale and offset, and hard-swish written out.</summary>
    private static Model MobileBlock(long opset = 17)
    {
        var model = new Model(opset: opset) { IrVersion = 4 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(2, 3, 9, 9)));
        var conv = graph.Add("Conv", [x, graph.AddInitializer("w", Random(1, 8, 3, 3, 3))], "conv", [NodeAttribute.Ints("pads", 1, 1, 1, 1)]);
        var variance = Tensor.Of(Random(5, 8).ToArray<float>().Select(v => v * v + 0.1f).ToArray(), 8);
        var norm = graph.Add(
            "BatchNormalization",
            [
                conv, graph.AddInitializer("gamma", Random(2, 8)), graph.AddInitializer("beta", Random(3, 8)), graph.AddInitializer("mean", Random(4, 8)),
                graph.AddInitializer("variance", variance),
            ],
            "norm");
        var scaled = graph.Add("Mul", [norm, graph.AddInitializer("scale", Random(6, 1))], "scaled");
        var shifted = graph.Add("Add", [scaled, graph.AddInitializer("offset", Random(8, 1, 8, 1, 1))], "shifted");
        var three = graph.Add("Add", [shifted, graph.AddInitializer("three", Tensor.Scalar(3f))], "plus_three");
        Value clipped;
        if (opset < 11)
        {
            clipped = graph.Add("Clip", [three], "clipped", [NodeAttribute.Float("min", 0), NodeAttribute.Float("max", 6)]);
        }
        else
        {
            clipped = graph.Add("Clip", [three, graph.AddInitializer("zero", Tensor.Scalar(0f)), graph.AddInitializer("six", Tensor.Scalar(6f))], "clipped");
        }

        var product = graph.Add("Mul", [shifted, clipped], "product");
        graph.AddOutput(graph.Add("Div", [product, graph.AddInitializer("divisor", Tensor.Scalar(6f))], "y"));
        return model;
    }

    private static StepResult Apply(Model model, GraphOptimization.Options options) => new GraphOptimization().Apply(model, options, new StepContext
    {
        StepId = "optimize",
        Data = _ => throw new InvalidOperationException("the technique reads no data"),
        Model = _ => throw new InvalidOperationException("the technique reads no other model"),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
    });

    private static ImmutableArray<Tensor> Run(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds)
    {
        using var session = new OnnxRuntimeInference().Open(model, new InferenceOptions { Optimize = false });
        return session.Run(feeds);
    }

    private static Tensor Random(int seed, params long[] sizes)
    {
        var random = new Random(seed);
        var values = new float[sizes.Aggregate((a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(random.NextDouble() * 2 - 1);
        }

        return new Tensor(DataType.Float, sizes, Tensor.Of(values, values.Length).Content);
    }

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.Sizes.ToArray(), actual.Sizes.ToArray());
        foreach (var (a, b) in expected.ToArray<float>().Zip(actual.ToArray<float>()))
        {
            Assert.InRange(Math.Abs(a - b), 0, tolerance * (1 + Math.Abs(a)));
        }
    }
}
