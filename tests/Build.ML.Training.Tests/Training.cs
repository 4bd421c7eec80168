using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training.Random;

namespace Build.ML.Training.Tests;

/// <summary>Samples in memory.</summary>
sealed class MemoryData(params Sample[] samples) : DataSet
{
    public override int Count => samples.Length;

    public override Sample this[int index] => samples[index];
}

/// <summary>Small models and data to train on, and a context to do it in.</summary>
static class Training
{
    public static readonly DataReference Data = new("train");

    public static StepContext Context(
        DataSet data, DataSet? validation = null, int threads = 2, string checkpoints = "", long seed = 7, IProgress<StepProgress>? progress = null, CancellationToken cancellation = default) => new()
        {
            StepId = "train",
            Data = r => r == Data ? data : validation!,
            Model = _ => throw new NotSupportedException(),
            Inference = new OnnxRuntimeInference(),
            ScratchDirectory = Path.GetTempPath(),
            Threads = threads,
            Seed = seed,
            CheckpointDirectory = checkpoints,
            Cancellation = cancellation,
            Progress = progress ?? new Silent(),
        };

    /// <summary>y = x·a + b for x of three numbers, with noise of the given size: y of two numbers as targets.</summary>
    public static MemoryData Linear(int count, float noise = 0)
    {
        var random = new CounterRandom(11);
        float[,] a = { { 1, -2 }, { 0.5f, 3 }, { -1.5f, 0.25f } };
        float[] b = [0.75f, -1];
        return new([.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] x = [random.Normal(), random.Normal(), random.Normal()];
            var y = Enumerable.Range(0, 2).Select(j => b[j] + x[0] * a[0, j] + x[1] * a[1, j] + x[2] * a[2, j] + noise * random.Normal()).ToArray();
            return new Sample([new("", Tensor.Of(x, 3))], new Label { Target = Tensor.Of(y, 2) });
        })]);
    }

    /// <summary>Two classes that a circle parts.</summary>
    public static MemoryData Circle(int count, long seed = 5)
    {
        var random = new CounterRandom(seed);
        return new([.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] x = [random.Uniform(-1, 1), random.Uniform(-1, 1)];
            return new Sample([new("", Tensor.Of(x, 2))], new Label { Class = x[0] * x[0] + x[1] * x[1] < 0.6f ? 1 : 0 });
        })]);
    }

    /// <summary>A layer of zeros: [n, 3] → [n, 2].</summary>
    public static Model LinearModel()
    {
        var graph = new OnnxGraph("linear");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 3)));
        return Of(graph, graph.Add("Gemm", [x, graph.AddInitializer("w", Tensor.Of(new float[6], 3, 2)), graph.AddInitializer("b", Tensor.Of(new float[2], 2))], "y"));
    }

    /// <summary>[n, 2] → 16 → 16 → [n, 2], with initial weights, and dropout where asked for.</summary>
    public static Model Perceptron(float dropout = 0, bool normalized = false)
    {
        var graph = new OnnxGraph("perceptron");
        var value = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
        var random = new CounterRandom(3);
        int[] widths = [2, 16, 16, 2];
        for (var i = 0; i < 3; i++)
        {
            var w = new float[widths[i] * widths[i + 1]];
            random.FillNormal(w, 0, MathF.Sqrt(2f / widths[i]));
            value = graph.Add(
                "Gemm", [value, graph.AddInitializer($"w{i}", Tensor.Of(w, widths[i], widths[i + 1])), graph.AddInitializer($"b{i}", Tensor.Of(new float[widths[i + 1]], widths[i + 1]))], $"z{i}");
            if (i < 2 && normalized)
            {
                Tensor Filled(float number) => Tensor.Of(Enumerable.Repeat(number, 16).ToArray(), 16);
                value = graph.Add(
                    "BatchNormalization",
                    [value, graph.AddInitializer($"scale{i}", Filled(1)), graph.AddInitializer($"shift{i}", Filled(0)), graph.AddInitializer($"mean{i}", Filled(0)), graph.AddInitializer($"var{i}", Filled(1))],
                    $"n{i}");
            }

            value = i == 2 ? value : graph.Add("Relu", [value], $"h{i}");
            if (i == 0 && dropout > 0)
            {
                value = graph.Add("Dropout", [value, graph.AddInitializer("ratio", Tensor.Scalar(dropout)), graph.AddInitializer("training", Tensor.OfBytes(DataType.Bool, new byte[1]))], "dropped");
            }
        }

        return Of(graph, value);
    }

    public static Model Of(OnnxGraph graph, Value output)
    {
        output.Type ??= new TensorType(DataType.Float, new Shape(new Dimension("n"), 2));
        graph.AddOutput(output);
        return new Model(graph);
    }

    public static float[] Weights(Model model, string name) => model.Graph.Find(name)!.Initializer!.ToArray<float>();

    public static byte[] Bytes(Model model) => model.ToBytes();

    public static double Accuracy(Model model, DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        var right = 0;
        foreach (var batch in data.Batches(1))
        {
            var scores = session.Run(batch.Inputs)[0].ToArray<float>();
            right += (scores[1] > scores[0] ? 1 : 0) == batch.Labels[0].Class ? 1 : 0;
        }

        return (double)right / data.Count;
    }

    private sealed class Silent : IProgress<StepProgress>
    {
        public void Report(StepProgress value)
        {
        }
    }
}
