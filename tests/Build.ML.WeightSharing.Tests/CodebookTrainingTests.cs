using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.WeightSharing.Clustering;
using Trainings = Build.ML.Training.Tests.Training;

namespace Build.ML.WeightSharing.Tests;

public sealed class CodebookTrainingTests
{
    [Theory]
    [InlineData(CodebookGranularity.Tensor)]
    [InlineData(CodebookGranularity.Channel)]
    public void Trained_codebooks_recover_accuracy_and_keep_sharing_and_zeros(CodebookGranularity granularity)
    {
        var data = Trainings.Circle(2000);
        var test = Trainings.Circle(1000, seed: 9);
        using var model = Trainings.Perceptron();
        new Trainer(Trainings.Context(data)).Fit(model, new TrainingPlan
        {
            Options = new TrainingOptions { Data = Trainings.Data, Epochs = 15, Optimizer = new AdamW { LearningRate = 0.01 } },
            Losses = [new CrossEntropy()],
        });
        var value = model.Graph.Find("w1")!;
        var weights = value.Initializer!.ToArray<float>();
        for (var i = 0; i < weights.Length; i += 3)
            weights[i] = 0;
        model.Graph.SetInitializer(value, Tensor.Of(weights, 16, 16));
        using var untrained = model.Clone();
        var options = new WeightClustering.Options { Bits = 2, Include = ["w1"], Granularity = granularity };
        var training = new CodebookTraining { Data = Trainings.Data, Epochs = 5, Optimizer = new AdamW { LearningRate = 0.005 } };
        new WeightClustering().Apply(untrained, options, Trainings.Context(data));
        new WeightClustering().Apply(model, options with { FineTune = training }, Trainings.Context(data));

        var (before, after) = (Trainings.Accuracy(untrained, test), Trainings.Accuracy(model, test));
        Assert.True(after > before + 0.01, $"{before} before, {after} after");
        // Who shares with whom is as it was: the same packed indices.
        Assert.Equal(untrained.Graph.Find("w1.indices")!.Initializer!.ToArray<byte>(), model.Graph.Find("w1.indices")!.Initializer!.ToArray<byte>());
        Assert.NotEqual(untrained.Graph.Find("w1.codebook")!.Initializer!.ToArray<float>(), model.Graph.Find("w1.codebook")!.Initializer!.ToArray<float>());
        using var restored = new OnnxRuntimeInference().Optimize(model)!;
        var trained = restored.Graph.Nodes.Where(n => n.OpType is "Gemm" or "FusedGemm").Select(n => n.Inputs[1]!.Initializer!).Single(t => t.Count == 256).ToArray<float>();
        Assert.All(weights.Zip(trained), p => Assert.Equal(p.First == 0, p.Second == 0));
        Assert.True(trained.Distinct().Count() <= (granularity == CodebookGranularity.Tensor ? 4 : 64));
    }

    [Fact]
    public void The_gradient_of_a_shared_value_is_the_sum_of_those_of_its_weights()
    {
        // One step of plain gradient descent moves a value by what the weights that share it would move together.
        var data = Trainings.Circle(64);
        var plan = new CodebookTraining { Data = Trainings.Data, Steps = 1, BatchSize = 64, Optimizer = new GradientDescent { LearningRate = 0.01, Momentum = 0 } };
        using var dense = Trainings.Perceptron();
        using var start = dense.Clone();
        using var shared = dense.Clone();
        var cluster = new WeightClustering.Options { Bits = 2, Include = ["w1"] };
        new WeightClustering().Apply(start, cluster, Trainings.Context(data));
        var before = start.Graph.Find("w1.codebook")!.Initializer!.ToArray<float>();
        using var restored = new OnnxRuntimeInference().Optimize(start)!;
        new WeightClustering().Apply(shared, cluster with { FineTune = plan }, Trainings.Context(data));
        var after = shared.Graph.Find("w1.codebook")!.Initializer!.ToArray<float>();

        var weight = dense.Graph.Find("w1")!;
        float[] clustered = [.. weight.Initializer!.ToArray<float>().Select(w => before.MinBy(v => Math.Abs(v - w)))];
        dense.Graph.SetInitializer(weight, Tensor.Of(clustered, 16, 16));
        new Trainer(Trainings.Context(data)).Fit(dense, new TrainingPlan { Options = plan, Losses = [new CrossEntropy()] });
        var moved = dense.Graph.Find("w1")!.Initializer!.ToArray<float>();

        for (var v = 0; v < before.Length; v++)
        {
            var sum = Enumerable.Range(0, 256).Where(i => clustered[i] == before[v]).Sum(i => (double)moved[i] - clustered[i]);
            // Each of up to a hundred differences of weights near 1 has an error of 6e-8.
            Assert.Equal(sum, after[v] - before[v], 1e-5);
            Assert.NotEqual(before[v], after[v]);
        }
    }
}
