using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Distillation.Features;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.Training.Random;
using Learning = Build.ML.Training.Tests.Training;

namespace Build.ML.Distillation.Tests;

public sealed class DistillationTests
{
    static readonly Optimizer Fast = new AdamW { LearningRate = 0.01 };

    [Fact]
    public void A_student_without_labels_learns_to_answer_as_its_teacher()
    {
        using var teacher = Network(32, 1);
        using var student = Network(8, 2);
        var data = Unlabelled(256);
        var before = Agreement(student, teacher, data);
        new LogitDistillation().Apply(student, new() { Data = Learning.Data, Epochs = 60, Optimizer = Fast, LabelWeight = 0 }, Context(data, teacher));
        Assert.InRange(Agreement(student, teacher, data), Math.Max(0.95, before), 1);
    }

    [Fact]
    public void Labels_count_by_their_weight()
    {
        // The teacher knows nothing (all weights 0): with labels alone the student learns the circle, with the teacher alone it learns to answer even odds.
        using var teacher = Network(8, 1);
        foreach (var value in teacher.Graph.Initializers.ToArray())
            teacher.Graph.SetInitializer(value, Tensor.Of(new float[value.Initializer!.Count], value.Initializer!.Sizes.AsSpan()));
        var data = Learning.Circle(256);
        using var byLabels = Network(16, 2);
        using var byTeacher = Network(16, 2);
        new LogitDistillation().Apply(byLabels, new() { Data = Learning.Data, Epochs = 60, Optimizer = Fast, LabelWeight = 1 }, Context(data, teacher));
        new LogitDistillation().Apply(byTeacher, new() { Data = Learning.Data, Epochs = 60, Optimizer = Fast, LabelWeight = 0 }, Context(data, teacher));
        Assert.InRange(Learning.Accuracy(byLabels, data), 0.95, 1);
        Assert.All(Answers(byTeacher, data), p => Assert.InRange(Math.Abs(p[0] - p[1]), 0, 0.3));
    }

    [Fact]
    public void An_ensemble_teaches_the_mean_of_its_probabilities()
    {
        using var first = Network(32, 1);
        using var second = Network(32, 3);
        using var student = Network(32, 2);
        var data = Unlabelled(256);
        new EnsembleDistillation().Apply(
            student, new() { Data = Learning.Data, Epochs = 150, Optimizer = Fast, LabelWeight = 0, Temperature = 1, Teachers = [new("first"), new("second")] },
            Context(data, first) with { Model = r => (r.Name == "first" ? first : second).Clone() });
        var (a, b, s) = (Answers(first, data), Answers(second, data), Answers(student, data));
        var difference = Enumerable.Range(0, data.Count).Average(i => Math.Abs((P(a[i]) + P(b[i])) / 2 - P(s[i])));
        Assert.InRange(difference, 0, 0.03);
        Assert.True(Enumerable.Range(0, data.Count).Average(i => Math.Abs(P(a[i]) - P(s[i]))) > 2 * difference, "the first teacher alone explains the student");
    }

    [Theory]
    [InlineData(FeatureDistance.MeanSquared)]
    [InlineData(FeatureDistance.Cosine)]
    public void Hidden_states_are_matched_through_projections_that_leave_no_trace(FeatureDistance distance)
    {
        using var teacher = Network(32, 1);
        using var student = Network(16, 2);
        var (names, nodes) = (student.Graph.Initializers.Select(i => i.Name).ToArray(), student.Graph.NodeCount);
        var data = Unlabelled(256);
        var options = new FeatureDistillation.Options
        {
            Data = Learning.Data,
            Epochs = 30,
            Optimizer = Fast,
            LabelWeight = 0,
            Distance = distance,
            StudentLayers = "h*",
            TeacherLayers = "h*",
        };
        var (first, progress) = (new Losses(), new Losses());
        using (var other = Network(16, 2))
            new FeatureDistillation().Apply(other, options with { Steps = 1 }, Context(data, teacher) with { Progress = first });
        var result = new FeatureDistillation().Apply(student, options, Context(data, teacher) with { Progress = progress });
        Assert.Equal(["with 'h0' through a projection", "with 'h1' through a projection"], result.Layers.Select(l => l.Reason));
        Assert.Equal(names, student.Graph.Initializers.Select(i => i.Name));
        Assert.Equal(nodes, student.Graph.NodeCount);
        Assert.Equal("y", Assert.Single(student.Graph.Outputs).Name);
        Assert.True(progress.Last < 0.5 * first.Last, $"the loss went from {first.Last} to {progress.Last}");
    }

    [Fact]
    public void Layers_are_mapped_evenly_and_last_to_last()
    {
        using var teacher = Deep(6);
        using var student = Deep(3);
        Assert.Equal([("h0", "h1"), ("h1", "h3"), ("h2", "h5")], LayerMapping.Uniform(student, teacher, "h*", "h*").Select(p => (p.Student, p.Teacher!)));
        var error = Assert.Throws<DiagnosticException>(() => LayerMapping.Uniform(teacher, student, "h*", "h*"));
        Assert.Equal("BML8230", Assert.Single(error.Diagnostics).Code);
    }

    static double P(double[] logits) => 1 / (1 + Math.Exp(logits[0] - logits[1]));

    static StepContext Context(DataSet data, Model teacher) => Learning.Context(data) with { Model = _ => teacher.Clone() };

    static MemoryData Unlabelled(int count)
    {
        var random = new CounterRandom(9);
        return new([.. Enumerable.Range(0, count).Select(_ => new Sample([new("", Tensor.Of([random.Normal(), random.Normal()], 2))], Label.None))]);
    }

    static Model Deep(int layers)
    {
        var graph = new OnnxGraph("deep");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 2)));
        for (var i = 0; i < layers; i++)
            x = graph.Add("Relu", [graph.Add("MatMul", [x, graph.AddInitializer($"w{i}", Tensor.Of(new float[4], 2, 2))], $"z{i}")], $"h{i}");
        return Learning.Of(graph, x);
    }

    static Model Network(int width, long seed)
    {
        var graph = new OnnxGraph("network");
        var value = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
        var random = new CounterRandom(seed);
        int[] widths = [2, width, width, 2];
        for (var i = 0; i < 3; i++)
        {
            var w = new float[widths[i] * widths[i + 1]];
            random.FillNormal(w, 0, MathF.Sqrt(2f / widths[i]));
            var b = new float[widths[i + 1]];
            random.FillNormal(b, 0, 0.3f);
            value = graph.Add("Gemm", [value, graph.AddInitializer($"w{i}", Tensor.Of(w, widths[i], widths[i + 1])), graph.AddInitializer($"b{i}", Tensor.Of(b, widths[i + 1]))], i == 2 ? "y" : $"z{i}");
            value = i == 2 ? value : graph.Add("Relu", [value], $"h{i}");
        }
        return Learning.Of(graph, value);
    }

    static double[][] Answers(Model model, DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return [.. session.Run(data.Batches(data.Count).First().Inputs)[0].ToArray<float>().Chunk(2).Select(p => new double[] { p[0], p[1] })];
    }

    static double Agreement(Model student, Model teacher, DataSet data) =>
        Answers(student, data).Zip(Answers(teacher, data)).Average(p => p.First[0] > p.First[1] == p.Second[0] > p.Second[1] ? 1.0 : 0);

    sealed class Losses : IProgress<StepProgress>
    {
        public double Last { get; private set; }

        public void Report(StepProgress value)
        {
            Last = value.Loss ?? Last;
        }
    }
}
