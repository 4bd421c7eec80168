using Build.ML.Abstractions.Data;
using Build.ML.Distillation;
using Build.ML.FineTuning;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Training;
using static Build.ML.LowRank.Tests.Networks;

namespace Build.ML.LowRank.Tests;

/// <summary>What a low rank lost is won back by training: the parts are weights like all others.</summary>
public sealed class RecoveryTests
{
    private static readonly Optimizer Fast = new AdamW { LearningRate = 0.01, WeightDecay = 0 };

    [Fact]
    public void Low_rank_adapters_win_back_what_the_low_rank_lost()
    {
        using var model = Teacher();
        var data = Answered(model);
        new SvdFactorization().Apply(model, new() { Ratio = 0.4 }, Context());
        var before = Error(model, data);
        var nodes = model.Graph.NodeCount;
        var result = new LoraFineTuning().Apply(
            model, new() { Data = Data, Epochs = 30, BatchSize = 32, Optimizer = Fast, Loss = new MeanSquaredError(), Rank = 4 }, Context(data) with { Data = _ => data });
        Assert.Equal(6, result.Layers.Count(l => l.Outcome == "merged")); // both parts of three layers
        Assert.Equal(nodes, model.Graph.NodeCount);
        Assert.InRange(Error(model, data) / before, 0, 0.5);
    }

    [Fact]
    public void Distillation_from_the_whole_model_wins_back_what_the_low_rank_lost()
    {
        using var teacher = Teacher();
        using var student = teacher.Clone();
        var data = Answered(teacher);
        new SvdFactorization().Apply(student, new() { Ratio = 0.4 }, Context());
        var before = Error(student, data, centred: true);
        new LogitDistillation().Apply(
            student, new() { Data = Data, Epochs = 30, BatchSize = 32, Optimizer = Fast, LabelWeight = 0, Temperature = 1 },
            Context(data) with { Model = _ => teacher.Clone() });
        Assert.Equal(6, student.Graph.Initializers.Count);
        Assert.InRange(Error(student, data, centred: true) / before, 0, 0.5);
    }

    private static Model Teacher() => Perceptron([24, 32, 32, 6], Numbers.Normal(1, 24 * 32, 0.25), Numbers.Normal(2, 32 * 32, 0.25), Numbers.Normal(3, 32 * 6, 0.25));

    private static MemoryData Answered(Model model)
    {
        const int Count = 512;
        var x = Numbers.Normal(4, Count * 24, 1);
        var y = Run(model, Tensor.Of(x, Count, 24));
        return new([.. Enumerable.Range(0, Count).Select(i => new Sample(
            [new("", Tensor.Of(x[(i * 24)..((i + 1) * 24)], 24))], new Label { Target = Tensor.Of(y[(i * 6)..((i + 1) * 6)], 6) }))]);
    }

    // centred: what is added to all scores of a sample does not count, as it does not to a softmax.
    private static double Error(Model model, DataSet data, bool centred = false)
    {
        var batch = data.Batches(data.Count).First();
        float[] Centred(float[] scores) => centred ? [.. scores.Chunk(6).SelectMany(c => c.Select(s => s - c.Average()))] : scores;
        return SquaredDistance(Centred(Run(model, batch.Inputs[0].Value)), Centred([.. batch.Labels.SelectMany(l => l.Target!.ToArray<float>())]));
    }
}
