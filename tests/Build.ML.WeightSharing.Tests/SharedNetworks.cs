using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.WeightSharing.Tests;

/// <summary>Networks to share weights of.</summary>
static class SharedNetworks
{
    public static readonly StepContext Context = new()
    {
        StepId = "shared",
        Data = _ => throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
        Threads = 2,
        Seed = 5,
    };

    /// <summary>All operators whose weights can be shared, with sizes that eight does not divide.</summary>
    public static Model Everything(float sparsity = 0)
    {
        var graph = new OnnxGraph("everything");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 3, 9, 9)));
        var tokens = graph.AddInput("tokens", new TensorType(DataType.Int64, Shape.Of(1, 5)));
        Value Weight(string name, params long[] sizes) => graph.AddInitializer(name, Random(name, sparsity, sizes));
        var y = graph.Add("Conv", [x, Weight("conv", 7, 3, 5, 5)], "c");
        y = graph.Add("Relu", [y], "r");
        y = graph.Add("ConvTranspose", [y, Weight("up", 7, 5, 5, 5)], "u");
        y = graph.Add("GlobalAveragePool", [y], "p");
        y = graph.Add("Reshape", [y, graph.AddInitializer("shape", Tensor.Of([1L, 5], 2))], "f");
        y = graph.Add("Gemm", [y, Weight("plain", 5, 801)], "g1");
        y = graph.Add("Gemm", [y, Weight("turned", 33, 801)], "g2", [NodeAttribute.Int("transB", 1)]);
        var e = graph.Add("Gather", [Weight("embedding", 19, 33), tokens], "e");
        y = graph.Add("Add", [e, y], "s");
        y = graph.Add("MatMul", [y, Weight("product", 33, 29)], "y");
        y.Type = new TensorType(DataType.Float, Shape.Of(1, 5, 29));
        graph.AddOutput(y);
        return new Model(graph);
    }

    /// <summary>What ONNX Runtime answers on one input.</summary>
    public static float[] Run(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new("x", Tensor.Of(KMeansTests.Normal(243, 77), 1, 3, 9, 9)), new("tokens", Tensor.Of([0L, 18, 7, 7, 3], 1, 5))])[0].ToArray<float>();
    }

    private static Tensor Random(string name, float sparsity, long[] sizes)
    {
        var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
        var numbers = KMeansTests.Normal(count, name.Sum(c => c) + name.Length);
        for (var i = 0; i < count; i++)
            numbers[i] = i % 100 < 100 * sparsity ? 0 : numbers[i] * 0.1f;
        return Tensor.Of(numbers, sizes);
    }
}
