using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Costs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Pruning.Tests.Structured;

/// <summary>What tests of structured pruning share: small networks, data, runs.</summary>
static class Bench
{
    public static readonly DataReference Data = new("calibration");

    public static StepContext Context(DataSet? data = null, IInference? inference = null) => new()
    {
        StepId = "slim",
        Data = _ => data ?? throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = inference ?? new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
        Threads = 2,
        Seed = 1,
    };

    /// <summary>Samples of normal numbers with a class each.</summary>
    public static DataSet Samples(int count, int classes, params long[] sizes)
    {
        var random = new Random(7);
        return new MemoryData([.. Enumerable.Range(0, count).Select(i => new Sample(
            [new("", Tensor.Of(Numbers(random, (int)sizes.Aggregate(1L, (a, b) => a * b), 1), sizes))], new Label { Class = i % classes }))]);
    }

    public static float[] Numbers(Random random, int count, double scale) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    /// <summary>x[n, 6] → Gemm 16 → Relu → Gemm 4.</summary>
    public static Model Perceptron(int hidden = 16)
    {
        var random = new Random(3);
        var graph = new OnnxGraph("perceptron");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 6)));
        var h = graph.Add("Gemm", [x, Init(graph, "up", random, 6, hidden), Init(graph, "up_bias", random, hidden)], "h");
        var y = graph.Add("Gemm", [graph.Add("Relu", [h], "r"), Init(graph, "down", random, hidden, 4), Init(graph, "down_bias", random, 4)], "y");
        return Of(graph, y, new Shape(new Dimension("n"), 4));
    }

    /// <summary>x[n, 3, 8, 8] → Conv 16 → Relu → Conv 8 → Relu → mean → Gemm 4, kernels of 3×3.</summary>
    public static Model Convolutions()
    {
        var random = new Random(4);
        var graph = new OnnxGraph("convolutions");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 3, 8, 8)));
        var pads = NodeAttribute.Ints("pads", 1, 1, 1, 1);
        var a = graph.Add("Relu", [graph.Add("Conv", [x, Init(graph, "first", random, 16, 3, 3, 3), Init(graph, "first_bias", random, 16)], "c1", [pads])], "a");
        var b = graph.Add("Relu", [graph.Add("Conv", [a, Init(graph, "second", random, 8, 16, 3, 3), Init(graph, "second_bias", random, 8)], "c2", [pads])], "b");
        var flat = graph.Add("Flatten", [graph.Add("GlobalAveragePool", [b], "pool")], "flat");
        var y = graph.Add("Gemm", [flat, Init(graph, "head", random, 8, 4), Init(graph, "head_bias", random, 4)], "y");
        return Of(graph, y, new Shape(new Dimension("n"), 4));
    }

    public static Value Init(OnnxGraph graph, string name, Random random, params long[] sizes)
    {
        var fan = sizes.Length == 1 ? 1 : sizes.Length == 2 ? sizes[0] : sizes[1] * sizes[2] * sizes[3];
        return graph.AddInitializer(name, Tensor.Of(Numbers(random, (int)sizes.Aggregate(1L, (a, b) => a * b), 1 / Math.Sqrt(fan)), sizes));
    }

    public static Model Of(OnnxGraph graph, Value output, Shape shape)
    {
        output.Type = new TensorType(DataType.Float, shape);
        graph.AddOutput(output);
        var model = new Model(graph, 17) { IrVersion = 8 };
        ShapeInference.Run(model);
        return model;
    }

    /// <summary>Changes the elements of an initializer in place.</summary>
    public static void Edit(Model model, string name, Action<float[]> edit)
    {
        var value = model.Graph.Find(name)!;
        var numbers = value.Initializer!.ToArray<float>();
        edit(numbers);
        model.Graph.SetInitializer(value, Tensor.Of(numbers, value.Initializer.Sizes.AsSpan()));
    }

    /// <summary>Multiplies a filter (first dimension of a weight), or an element, by a number.</summary>
    public static void Scale(Model model, string name, int filter, float factor) => Edit(model, name, numbers =>
    {
        var length = numbers.Length / (int)model.Graph.Find(name)!.Initializer!.Sizes[0];
        for (var i = filter * length; i < (filter + 1) * length; i++)
        {
            numbers[i] *= factor;
        }
    });

    public static float[] Run(Model model, DataSet data)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return [.. Enumerable.Range(0, data.Count).SelectMany(i => session.Run(data[i].AsBatch().Inputs)[0].ToArray<float>())];
    }

    /// <summary>‖a − b‖ over ‖b‖.</summary>
    public static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (double)(x - y)).Sum() / b.Sum(y => y * (double)y));

    /// <summary>Multiply-accumulates from the shapes that inference gives, with a batch of one.</summary>
    public static long Macs(Model model)
    {
        using var copy = model.Clone();
        foreach (var input in copy.Graph.Inputs.Where(i => i.Initializer is null))
        {
            var type = (TensorType)input.Type!;
            input.Type = new TensorType(type.ElementType, new Shape(type.Shape!.Dimensions.Select((d, i) => d.IsKnown ? d : new Dimension(i == 0 ? 1 : 16))));
        }

        var types = ShapeInference.Infer(copy, useDeclared: false).Types;
        return copy.AllNodes.Sum(n => MultiplyAccumulates.Of(n, v => v is null ? null : v.Initializer is { } t ? [.. t.Sizes] : ((TensorType)types[v]).Shape!.ToSizes())!.Value);
    }

    public static long Parameters(Model model) => model.Graph.Initializers.Where(i => i.Initializer!.Type == DataType.Float).Sum(i => i.Initializer!.Count);

    public sealed class MemoryData(Sample[] samples) : DataSet
    {
        public override int Count => samples.Length;

        public override Sample this[int index] => samples[index];
    }
}
