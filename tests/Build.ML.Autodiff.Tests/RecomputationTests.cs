using Build.ML.Autodiff.Tests.Cases;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

public sealed class RecomputationTests
{
    const int Width = 64, Batch = 512, Layers = 24;
    const long LayerBytes = 4L * Width * Batch;

    [Fact]
    public void A_memory_budget_repeats_segments_and_changes_no_bit_of_a_gradient()
    {
        var (plain, plainNodes) = Gradients(long.MaxValue);
        var (checkpointed, nodes) = Gradients(Layers * LayerBytes);
        Assert.Equal(plain.Count, checkpointed.Count);
        foreach (var (name, gradient) in plain)
            Assert.Equal(gradient, checkpointed[name]);
        // 2 nodes a layer forward, all but the last segment's a second time.
        Assert.InRange(nodes - plainNodes, Layers, (2 * Layers) + 20);
    }

    [Fact]
    public void A_budget_that_all_activations_fit_changes_nothing() =>
        Assert.Equal(Gradients(long.MaxValue).Nodes, Gradients(3 * Layers * LayerBytes).Nodes);

    [Fact]
    public void Gradients_stand_last_first_so_that_the_runtime_computes_the_nearest_to_the_loss_first()
    {
        using var model = new Model(opset: 21);
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(2, 3)));
        for (var i = 0; i < 3; i++)
            x = model.Graph.Add("MatMul", [x, model.Graph.AddInitializer($"w{i}", Tensor.Of(new float[9], 3, 3))], $"h{i}");
        model.Graph.AddOutput(x);
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions());
        using var training = builder.Differentiate(builder.Ops.Mean(builder.Outputs[0]));
        var gradients = training.Model.Graph.Nodes.SelectMany(n => n.Outputs).Where(o => o.Name.StartsWith("gradient/", StringComparison.Ordinal)).Select(o => o.Name);
        Assert.Equal(["gradient/w0", "gradient/w1", "gradient/w2"], gradients);
    }

    static (Dictionary<string, float[]> Gradients, int Nodes) Gradients(long budget)
    {
        using var model = new Model(opset: 21);
        var random = new CaseRandom(1);
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(Batch, Width)));
        for (var i = 0; i < Layers; i++)
        {
            var w = model.Graph.AddInitializer($"w{i}", random.Uniform(-0.2, 0.2, Width, Width));
            x = model.Graph.Add("Tanh", [model.Graph.Add("MatMul", [x, w], $"h{i}")], $"a{i}");
        }
        model.Graph.AddOutput(x);
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { MemoryBudget = budget });
        using var training = builder.Differentiate(builder.Ops.Mean(builder.Ops.Square(builder.Outputs[0])));
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var results = session.Run([
            new("x", new CaseRandom(2).Normal(Batch, Width)), .. training.Parameters.Select(p => KeyValuePair.Create(p.Input, model.Graph.Find(p.Name)!.Initializer!))]);
        return (training.Parameters.ToDictionary(p => p.Name, p => results[session.Outputs.IndexOf(p.Gradient)].ToArray<float>()), training.Model.Graph.NodeCount);
    }
}
