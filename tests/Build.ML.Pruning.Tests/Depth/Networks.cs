using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Pruning.Tests.Depth;

/// <summary>Small networks and data.</summary>
static class Networks
{
    public static readonly DataReference Data = new("data");

    public static Tensor Normal(int seed, double scale, params ReadOnlySpan<long> sizes)
    {
        var random = new Random(seed);
        var values = new float[sizes.ToArray().Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)(scale * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2);
        return Tensor.Of(values, sizes);
    }

    /// <summary>x + Relu(x·A)·B, some times, then ·C: [batch, 8] to [batch, 4].</summary>
    public static Model Stream(int blocks, Func<int, double> scale)
    {
        var model = new Model();
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("batch"), 8)));
        for (var i = 0; i < blocks; i++)
        {
            var inner = graph.Add("Relu", [graph.Add("MatMul", [x, graph.AddInitializer($"block{i}.a", Normal((2 * i) + 1, 1, 8, 16))], $"block{i}.up")], $"block{i}.relu");
            x = graph.Add("Add", [x, graph.Add("MatMul", [inner, graph.AddInitializer($"block{i}.b", Normal((2 * i) + 2, scale(i), 16, 8))], $"block{i}.down")], $"block{i}.sum");
        }

        graph.AddOutput(graph.Add("MatMul", [x, graph.AddInitializer("head", Normal(99, 1, 8, 4))], "y"));
        return model;
    }

    public static Model Llama(int layers, int heads = 4, int keyHeads = 2, long seed = 1) => new LlamaDecoder
    {
        Layers = layers,
        Hidden = 4 * heads,
        Heads = heads,
        KeyHeads = keyHeads,
        Intermediate = 24,
        Vocabulary = 50,
        Length = 12,
    }.Build(seed);

    public static StepContext Context(DataSet? data = null) => new()
    {
        StepId = "depth",
        Data = _ => data ?? throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
    };

    public static float[] Run(Model model, params Tensor[] inputs)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([.. model.Graph.Inputs.Where(i => i.Initializer is null).Select(i => i.Name).Zip(inputs, KeyValuePair.Create)])[0].ToArray<float>();
    }

    public static Tensor Ids(int seed, int vocabulary, params ReadOnlySpan<long> sizes)
    {
        var random = new Random(seed);
        var ids = new long[sizes.ToArray().Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = random.Next(vocabulary);
        return Tensor.Of(ids, sizes);
    }
}

/// <summary>Samples held in memory.</summary>
sealed class Samples(string input, IReadOnlyList<Tensor> tensors) : DataSet
{
    public override int Count => tensors.Count;

    public override Sample this[int index] => new([KeyValuePair.Create(input, tensors[index])], Label.None);
}
