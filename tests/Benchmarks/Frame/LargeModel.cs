using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Benchmarks.Frame;

/// <summary>Makes large ONNX models: a chain of MatMuls with seeded weights.</summary>
public static class LargeModel
{
    private const int Width = 2048;

    /// <summary>Writes a model of about that many bytes, one float weight of 16 MB (2048 × 2048) a layer.</summary>
    /// <param name="path">New file.</param>
    /// <param name="bytes">Size, rounded up to whole layers.</param>
    public static void Write(string path, long bytes)
    {
        using var model = new Model(new OnnxGraph("large"), 17) { IrVersion = 8, ProducerName = "Build.ML.Benchmarks" };
        var graph = model.Graph;
        Value value = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), Width)));
        const int LayerBytes = Width * Width * sizeof(float);
        var layers = (int)((bytes + LayerBytes - 1) / LayerBytes);
        for (var layer = 0; layer < layers; layer++)
        {
            var seed = layer;
            var weight = new Tensor(DataType.Float, [Width, Width], new ComputedContent(LayerBytes, () => Weights(seed)));
            value = graph.Add("MatMul", [value, graph.AddInitializer($"w{layer}", weight)], $"y{layer}");
        }

        value.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), Width));
        graph.AddOutput(value);
        model.Save(path);
    }

    /// <summary>Uniform in ±1/√width, so that activations keep their scale over the layers.</summary>
    private static byte[] Weights(int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[Width * Width * sizeof(float)];
        var scale = 1 / MathF.Sqrt(Width);
        for (var i = 0; i < Width * Width; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i * sizeof(float)), ((random.NextSingle() * 2) - 1) * scale);
        }

        return bytes;
    }
}
