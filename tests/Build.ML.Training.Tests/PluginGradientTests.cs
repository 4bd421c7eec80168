using Build.ML.Abstractions.Data;
using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Training.Tests;

/// <summary>The gradient of an operator that Build.ML has none for, as a plugin would bring it: of 2×2 matrices, d det/dA = [[d, −c], [−b, a]].</summary>
[Gradients]
public sealed class DeterminantGradients : GradientTable
{
    public DeterminantGradients() => Rule("Det", (n, g, op) =>
    {
        var flat = op.Reshape(n.X, n.X.Count() / 4, 4);
        var cofactors = op.Mul(op.Node("Gather", [flat, op.Integers(3, 2, 1, 0)], NodeAttribute.Int("axis", 1)), op.Constant(Tensor.Of([1f, -1, -1, 1], 4)));
        return [op.Reshape(op.Mul(op.Reshape(g, g.Count(), 1), cofactors), n.X.Sizes().AsSpan())];
    });
}

public sealed class PluginGradientTests
{
    [Fact]
    public void An_operator_learns_by_the_gradient_that_a_plugin_brings()
    {
        var data = new MemoryData([.. Enumerable.Range(0, 4).Select(_ => new Sample([new("", Tensor.Of(new float[4], 2, 2))], new Label { Target = Tensor.Of([6f], 1) }))]);
        using var model = Determinant();
        var plan = new TrainingPlan { Options = new() { Data = Training.Data, Steps = 300, BatchSize = 4, Optimizer = new AdamW { LearningRate = 0.05, WeightDecay = 0 } }, Losses = [new MeanSquaredError()], Trainable = v => v.Name == "w" };
        var error = Assert.Throws<DiagnosticException>(() => new Trainer(Training.Context(data)).Fit(model, plan));
        Assert.Contains(error.Diagnostics, d => d.Code == "BML8102" && d.Message.Contains("Det", StringComparison.Ordinal));

        new Trainer(Training.Context(data) with { GradientAssemblies = [typeof(PluginGradientTests).Assembly] }).Fit(model, plan);
        var w = Training.Weights(model, "w");
        Assert.Equal(6, w[0] * w[3] - w[1] * w[2], 1e-3f);
    }

    static Model Determinant()
    {
        var graph = new OnnxGraph("determinant");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2, 2)));
        var sum = graph.Add("Add", [x, graph.AddInitializer("w", Tensor.Of([1f, 0.5f, 0, 1], 2, 2))], "sum");
        var y = graph.Add("Reshape", [graph.Add("Det", [sum], "det"), graph.AddInitializer("shape", Tensor.Of([-1L, 1], 2))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 1));
        graph.AddOutput(y);
        return new Model(graph);
    }
}
