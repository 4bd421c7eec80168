using Build.ML.Autodiff.Tests.Cases;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

public sealed class BatchStatisticsTests
{
    [Fact]
    public void Running_statistics_follow_the_mean_and_the_unbiased_variance_of_the_batch()
    {
        var x = new CaseRandom(1).Normal(4, 2, 3, 3);
        using var model = Normalizing(x.Sizes.AsSpan(), momentum: 0.75f);
        var builder = new TrainingModelBuilder(model, new());
        using var training = builder.Differentiate(builder.Ops.Total(builder.Ops.Square(builder.Outputs[0])));

        Assert.Equal(["mean", "variance"], training.States.Select(s => s.Name));
        Assert.All(training.States, s => Assert.Equal(0.75f, s.Momentum));
        Assert.Equal(["scale", "bias"], training.Parameters.Select(p => p.Name));
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var one = Tensor.Of([1f, 1], 2);
        var results = session.Outputs.Zip(session.Run([new("x", x), new("scale", one), new("bias", one)])).ToDictionary(p => p.First, p => p.Second.ToArray<float>());
        var values = x.ToArray<float>();
        for (var c = 0; c < 2; c++)
        {
            var channel = Enumerable.Range(0, values.Length).Where(i => i / 9 % 2 == c).Select(i => (double)values[i]).ToArray();
            var mean = channel.Average();
            Assert.Equal(mean, results[training.States[0].Output][c], 1e-6);
            Assert.Equal(channel.Sum(v => (v - mean) * (v - mean)) / 35, results[training.States[1].Output][c], 1e-5);
        }
    }

    [Fact]
    public void Frozen_statistics_stay_as_they_are()
    {
        using var model = Normalizing([4, 2, 3, 3], momentum: 0.9f);
        var builder = new TrainingModelBuilder(model, new() { BatchStatistics = false });
        using var training = builder.Differentiate(builder.Ops.Total(builder.Outputs[0]));
        Assert.Empty(training.States);
        Assert.Equal(["scale", "bias"], training.Parameters.Select(p => p.Name));
    }

    static Model Normalizing(ReadOnlySpan<long> sizes, float momentum)
    {
        var model = new Model(opset: 21);
        var graph = model.Graph;
        var inputs = new List<Value> { graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(sizes))) };
        foreach (var name in new[] { "scale", "bias", "mean", "variance" })
            inputs.Add(graph.AddInitializer(name, Tensor.Of([1f, 2], 2)));
        var y = graph.Add("BatchNormalization", [.. inputs], "y", [NodeAttribute.Float("momentum", momentum)]);
        graph.AddOutput(y);
        return model;
    }
}
