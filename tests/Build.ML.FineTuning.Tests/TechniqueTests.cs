using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.Training.Tests;

using Samples = Build.ML.Training.Tests.Training;

namespace Build.ML.FineTuning.Tests;

public sealed class TechniqueTests
{
    static readonly MemoryData Circle = Samples.Circle(512);

    // The circle with a third class inside: no answer of a model for two classes can be right for it.
    static MemoryData Rings(int count, long seed)
    {
        var two = Samples.Circle(count, seed);
        return new([.. Enumerable.Range(0, count).Select(i =>
        {
            var x = two[i].Inputs[0].Value.ToArray<float>();
            return x[0] * x[0] + x[1] * x[1] < 0.2f ? two[i] with { Label = new Label { Class = 2 } } : two[i];
        })]);
    }

    static double Accuracy(Model model, DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return data.Batches(1).Average(b => Array.IndexOf(Scores(session, b), Scores(session, b).Max()) == b.Labels[0].Class ? 1 : 0);

        static float[] Scores(Abstractions.Inference.IInferenceSession session, Batch batch) => session.Run(batch.Inputs)[0].ToArray<float>();
    }

    static Model Trained()
    {
        var model = Samples.Perceptron(normalized: true);
        new ModelTraining().Apply(
            model, new() { Data = Samples.Data, Epochs = 30, Optimizer = new AdamW { LearningRate = 0.01 } }, Samples.Context(Circle));
        return model;
    }

    [Fact]
    public void Train_learns_from_initial_weights()
    {
        using var model = Trained();
        Assert.InRange(Accuracy(model, Samples.Circle(500, 6)), 0.94, 1);
    }

    [Fact]
    public void Full_fine_tuning_moves_a_trained_model_a_little()
    {
        using var model = Trained();
        var before = Samples.Weights(model, "w1");
        var result = new FullFineTuning().Apply(model, new() { Data = Samples.Data }, Samples.Context(Circle));
        var after = Samples.Weights(result.Model, "w1");
        Assert.NotEqual(before, after);
        Assert.All(before.Zip(after), p => Assert.Equal(p.First, p.Second, 2e-3f)); // 16 steps of at most 5e-5 each, twice that for momentum
        Assert.Contains("trained in 16 steps", Assert.Single(result.Notes));
    }

    [Theory]
    [InlineData("Gemm")]
    [InlineData("GemmTransposed")]
    [InlineData("MatMulAddSoftmax")]
    public void A_new_head_learns_three_classes_on_a_frozen_body(string form)
    {
        using var model = Trained();
        var last = model.Graph.Outputs[0].Producer!;
        if (form == "GemmTransposed")
        {
            var w = Samples.Weights(model, "w2");
            last.SetInput(1, model.Graph.AddInitializer("wt", Tensor.Of([.. Enumerable.Range(0, 32).Select(i => w[i % 16 * 2 + i / 16])], 2, 16)));
            last.SetAttribute(NodeAttribute.Int("transB", 1));
        }
        else if (form == "MatMulAddSoftmax")
        {
            var product = model.Graph.Add("MatMul", [last.Inputs[0], last.Inputs[1]], "product");
            var sum = model.Graph.Add("Add", [model.Graph.Find("b2"), product], "sum");
            var output = model.Graph.Add("Softmax", [sum], "p");
            output.Type = model.Graph.Outputs[0].Type;
            model.Graph.SetOutput(0, output);
            model.Graph.Remove(last);
        }

        var before = model.Graph.Initializers.ToDictionary(i => i.Name, i => i.Initializer!.ToArray<byte>());
        var result = new HeadFineTuning().Apply(
            model, new() { Data = Samples.Data, Classes = 3, Epochs = 80, Optimizer = new AdamW { LearningRate = 0.02 } }, Samples.Context(Rings(512, 5)));
        Assert.Equal("replaced", Assert.Single(result.Layers).Outcome);
        Assert.Equal("float[n,3]", model.Graph.Outputs[0].Type!.ToString());
        Assert.Empty(model.Validate());
        foreach (var name in before.Keys.Where(k => k is not ("w2" or "b2" or "wt")))
        {
            Assert.Equal(before[name], model.Graph.Find(name)!.Initializer!.ToArray<byte>());
        }

        Assert.InRange(Accuracy(model, Rings(500, 6)), 0.85, 1); // always the most frequent class: 0.53
    }

    [Fact]
    public void Without_a_number_of_classes_the_head_goes_on_from_where_it_is()
    {
        using var model = Trained();
        var before = Samples.Weights(model, "w2");
        new HeadFineTuning().Apply(model, new() { Data = Samples.Data, Steps = 1, Optimizer = new AdamW { LearningRate = 1e-4 } }, Samples.Context(Circle));
        var after = Samples.Weights(model, "w2");
        Assert.NotEqual(before, after);
        Assert.All(before.Zip(after), p => Assert.Equal(p.First, p.Second, 2e-4f));
    }

    [Fact]
    public void A_model_without_a_linear_last_layer_has_no_head()
    {
        using var model = Trained();
        var y = model.Graph.Add("Exp", [model.Graph.Outputs[0]], "e");
        y.Type = model.Graph.Outputs[0].Type;
        model.Graph.SetOutput(0, y);
        var error = Assert.Throws<DiagnosticException>(
            () => new HeadFineTuning().Apply(model, new() { Data = Samples.Data, Classes = 3 }, Samples.Context(Circle)));
        Assert.Equal("BML6120", error.Diagnostics[0].Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Biases_alone_are_trained_and_the_head_where_asked_for(bool head)
    {
        using var before = Samples.Perceptron(normalized: true);
        using var model = Samples.Perceptron(normalized: true);
        new BiasFineTuning().Apply(model, new() { Data = Samples.Data, Head = head }, Samples.Context(Circle));
        string[] trained = [.. before.Graph.Initializers.Select(i => i.Name)
            .Where(n => !Samples.Weights(before, n).AsSpan().SequenceEqual(Samples.Weights(model, n))).Order(StringComparer.Ordinal)];

        // b0 and b1 lie before a batch normalization, which takes any constant away: their gradients are rounding errors.
        string[] statistics = ["mean0", "mean1", "var0", "var1"];
        string[] expected = head ? ["b2", "shift0", "shift1", "w2"] : ["b2", "shift0", "shift1"];
        Assert.Equal(expected, trained.Except(statistics).Except(["b0", "b1"]));
    }

    [Fact]
    public void The_plugin_has_its_techniques_by_name() => Assert.Superset(
        new HashSet<string> { "train", "finetune.full", "finetune.head", "finetune.bias" },
        Catalog<Abstractions.Techniques.ITechnique>.Scan(typeof(ModelTraining).Assembly).Names.ToHashSet());
}
