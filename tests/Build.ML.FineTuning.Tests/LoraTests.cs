using Build.ML.FineTuning.Lora;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.Training.Random;
using Build.ML.Training.Tests;
using Learning = Build.ML.Training.Tests.Training;

namespace Build.ML.FineTuning.Tests;

public sealed class LoraTests
{
    const int Width = 32;

    static LoraFineTuning.Options Options(bool merge) => new()
    {
        Data = Learning.Data,
        Steps = 400,
        BatchSize = 32,
        Optimizer = new AdamW { LearningRate = 0.02, WeightDecay = 0 },
        Loss = new MeanSquaredError(),
        Rank = 2,
        Alpha = 4,
        Merge = merge,
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_update_of_the_rank_that_is_missing_is_found_and_nothing_else_changes(bool merge)
    {
        // The data comes from W + u·vᵀ (rank 1), the model knows W: the adapter has to find u·vᵀ.
        var (data, target) = Task();
        using var model = Linear("MatMul");
        var before = model.Graph.Find("w")!.Initializer!.ToArray<float>();
        var result = new LoraFineTuning().Apply(model, Options(merge), Learning.Context(data));
        Assert.Equal(merge ? "merged" : "adapted", Assert.Single(result.Layers).Outcome);
        Assert.Equal(merge ? 1 : 5, model.Graph.NodeCount);
        var after = model.Graph.Find("w")!.Initializer!.ToArray<float>();
        if (merge)
            Assert.All(target.Zip(after), p => Assert.Equal(p.First, p.Second, 5e-3f));
        else
            Assert.Equal(before, after);
        Assert.InRange(Error(model, data), 0, 1e-4);
    }

    [Theory]
    [InlineData("MatMul")]
    [InlineData("Gemm")]
    [InlineData("Gemm transposed")]
    public void Merged_weights_answer_as_the_adapter_does(string layer)
    {
        var (data, _) = Task();
        using var kept = Linear(layer);
        using var merged = Linear(layer);
        new LoraFineTuning().Apply(kept, Options(false) with { Steps = 20 }, Learning.Context(data));
        new LoraFineTuning().Apply(merged, Options(true) with { Steps = 20 }, Learning.Context(data));
        var (a, b) = (Answers(kept, data), Answers(merged, data));
        Assert.True(a.Zip(Answers(Linear(layer), data)).Any(p => Math.Abs(p.First - p.Second) > 0.01), "twenty steps changed nothing");
        Assert.All(a.Zip(b), p => Assert.Equal(p.First, p.Second, 1e-4f)); // sums in another order
    }

    [Fact]
    public void Gradients_flow_through_a_base_in_four_bit_NormalFloat()
    {
        var (data, _) = Task();
        using var quantized = Linear("MatMul");
        FrozenBase.Quantize(quantized, AdaptableLayer.Find(quantized, new(quantized, [], [], [])).Layers, 64, Learning.Context(data));
        using var model = Linear("MatMul");
        var result = new QloraFineTuning().Apply(
            model, new QloraFineTuning.Options { Data = Learning.Data, Steps = 600, BatchSize = 32, Optimizer = new AdamW { LearningRate = 0.02 }, Loss = new MeanSquaredError(), Rank = 16, Alpha = 16 },
            Learning.Context(data));
        Assert.Contains(result.Layers, l => l.Outcome == "quantized");
        Assert.Contains(result.Layers, l => l.Outcome == "adapted");
        Assert.Contains(model.AllNodes, n => n.OpType == "MatMulBnb4");
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Name == "w");
        Assert.InRange(Error(model, data), 0, 0.1 * Error(quantized, data));
    }

    [Fact]
    public void Inputs_of_adapters_are_dropped_in_training_and_not_in_use()
    {
        var (data, _) = Task();
        using var plain = Linear("MatMul");
        using var dropped = Linear("MatMul");
        new LoraFineTuning().Apply(plain, Options(true) with { Steps = 20 }, Learning.Context(data));
        new LoraFineTuning().Apply(dropped, Options(false) with { Steps = 20, AdapterDropout = 0.5 }, Learning.Context(data));
        Assert.NotEqual(Answers(plain, data), Answers(dropped, data));
        Assert.Equal(Answers(dropped, data), Answers(dropped, data)); // nothing random is left
        Assert.DoesNotContain(dropped.Validate(), d => d.Severity == Severity.Error);
    }

    [Fact]
    public void NormalFloat_rounds_to_the_nearest_of_its_sixteen_values()
    {
        var values = NormalFloat.Values.ToArray();
        for (var x = -1f; x <= 1; x += 0.001f)
            Assert.Equal(values.Min(v => Math.Abs(v - x)), Math.Abs(values[NormalFloat.Nearest(x)] - x), 1e-6f);
    }

    [Fact]
    public void A_model_without_layers_to_adapt_is_refused_with_the_reasons()
    {
        using var model = Linear("MatMul");
        var error = Assert.Throws<DiagnosticException>(() => new LoraFineTuning().Apply(
            model, Options(true) with { Exclude = ["w"], OpTypes = ["Conv"] }, Learning.Context(Task().Data)));
        Assert.Equal("BML8220", Assert.Single(error.Diagnostics).Code);
        error = Assert.Throws<DiagnosticException>(() => new LoraFineTuning().Apply(model, Options(true) with { Exclude = ["w"] }, Learning.Context(Task().Data)));
        Assert.Contains("excluded by 'w'", Assert.Single(error.Diagnostics).Message, StringComparison.Ordinal);
    }

    static float[] Base()
    {
        var w = new float[Width * Width];
        new CounterRandom(1).FillNormal(w, 0, 0.2f);
        return w;
    }

    static (Abstractions.Data.DataSet Data, float[] Target) Task()
    {
        var random = new CounterRandom(2);
        var (w, u, v) = (Base(), new float[Width], new float[Width]);
        random.FillNormal(u, 0, 0.5f);
        random.FillNormal(v, 0, 0.5f);
        for (var i = 0; i < Width; i++)
            for (var j = 0; j < Width; j++)
                w[i * Width + j] += u[i] * v[j];
        return (new MemoryData([.. Enumerable.Range(0, 256).Select(_ =>
        {
            var x = new float[Width];
            random.FillNormal(x);
            var y = Enumerable.Range(0, Width).Select(j => Enumerable.Range(0, Width).Sum(i => x[i] * w[i * Width + j])).ToArray();
            return new Abstractions.Data.Sample([new("", Tensor.Of(x, Width))], new Abstractions.Data.Label { Target = Tensor.Of(y, Width) });
        })]), w);
    }

    static Model Linear(string layer)
    {
        var graph = new OnnxGraph("linear");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), Width)));
        var w = Base();
        if (layer == "Gemm transposed")
            w = [.. Enumerable.Range(0, Width * Width).Select(k => w[(k % Width) * Width + (k / Width)])];
        var weight = graph.AddInitializer("w", Tensor.Of(w, Width, Width));
        var y = layer == "MatMul" ? graph.Add("MatMul", [x, weight], "y")
            : graph.Add("Gemm", [x, weight], "y", layer == "Gemm" ? [] : [NodeAttribute.Int("transB", 1)]);
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), Width));
        graph.AddOutput(y);
        return new Model(graph);
    }

    static float[] Answers(Model model, Abstractions.Data.DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run(data.Batches(data.Count).First().Inputs)[0].ToArray<float>();
    }

    static double Error(Model model, Abstractions.Data.DataSet data) => Answers(model, data)
        .Zip(data.Batches(data.Count).First().Labels.SelectMany(l => l.Target!.ToArray<float>())).Average(p => Math.Pow(p.First - p.Second, 2));
}
