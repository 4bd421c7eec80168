using System.Diagnostics;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>Times a layer and what would replace it in the runtime, each as a model of its own, one thread, in turns.</summary>
internal sealed class LayerTiming
{
    private const int Rounds = 9;

    // Seconds that a measurement lasts at least, so that the clock and a switch of tasks matter little.
    private const double Least = 0.002;

    private readonly StepContext _context;
    private readonly int _rows;
    private readonly IReadOnlyDictionary<Value, OnnxType> _types;

    /// <summary>Infers what the layers read.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Vectors that a product multiplies at once, where the model leaves that open.</param>
    /// <param name="context">The runtime.</param>
    public LayerTiming(Model model, int rows, StepContext context) => (_context, _rows, _types) = (context, rows, ShapeInference.Infer(model).Types);

    /// <summary>Why a layer cannot be timed, or null.</summary>
    public string? Obstacle(WeightLayer layer) => layer.OpType == "Conv" && Input(layer) is null ? "the size of the images it reads is not known" : null;

    /// <summary>The greatest of some sizes at which the parts were measured to be faster than the layer by a factor; time is taken to grow with size.</summary>
    /// <param name="layer">A layer without <see cref="Obstacle"/>.</param>
    /// <param name="factor">Time of the layer over that of its parts.</param>
    /// <param name="most">Sizes are 1 to this.</param>
    /// <param name="split">Puts parts of a size in the place of a layer like the one given.</param>
    /// <returns>The size, 0 where there is none, and how much faster it was; for 0 what the last one tried was.</returns>
    public (int Size, double Speedup) Greatest(WeightLayer layer, double factor, int most, Action<WeightLayer, int> split)
    {
        var (low, high, speedup, tried) = (0, most, 0d, 0d);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            tried = Speedup(layer, like => split(like, middle));
            if (tried >= factor)
            {
                (low, speedup) = (middle, tried);
            }
            else
            {
                high = middle - 1;
            }
        }

        return (low, low > 0 ? speedup : tried);
    }

    // Time of the layer over that of its parts.
    private double Speedup(WeightLayer layer, Action<WeightLayer> split)
    {
        using var whole = Bound.Of(Single(layer), _context);
        using var pair = Bound.Of(Split(layer, split), _context);
        var runs = 1;
        while (whole.Seconds(runs) < Least)
        {
            runs *= 2;
        }

        pair.Seconds(runs);
        double first = double.PositiveInfinity, second = double.PositiveInfinity;
        for (var round = 0; round < Rounds; round++)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            first = Math.Min(first, whole.Seconds(runs));
            second = Math.Min(second, pair.Seconds(runs));
        }

        return first / second;
    }

    // Sizes of what the layer reads.
    private long[]? Input(WeightLayer layer)
    {
        var read = layer.Node.Input(0)!;
        var shape = (_types.GetValueOrDefault(read) as TensorType)?.Shape ?? read.Shape;
        if (layer.OpType == "Conv")
        {
            long[]? sizes = shape is null ? null : [shape.Dimensions[0].Size ?? 1, .. shape.Dimensions.Skip(1).Select(d => d.Size ?? 0)];
            return sizes is null || sizes.Contains(0) ? null : sizes;
        }

        var known = shape?.ToSizes() is { Length: > 1 } all ? all[..^1].Aggregate(1L, (a, b) => a * b) : 0;
        return [known > 0 ? known : _rows, layer.Columns];
    }

    private Model Single(WeightLayer layer)
    {
        var graph = new OnnxGraph("layer");
        var x = graph.AddInput("x", new TensorType(layer.ComputeType, Shape.Of(Input(layer)!)));
        var isConv = layer.OpType == "Conv";
        var elements = new float[(long)layer.Rows * layer.Columns];
        elements.AsSpan().Fill(0.01f);
        var weight = graph.AddInitializer(
            "w", isConv ? FactorEdit.Of(layer, elements, layer.Tensor.Sizes.AsSpan()) : FactorEdit.Of(layer, elements, layer.Columns, layer.Rows));
        graph.AddOutput(isConv ? graph.Add("Conv", [x, weight], "y", [.. layer.Node.Attributes]) : graph.Add("MatMul", [x, weight], "y"));
        var model = new Model(graph);
        foreach (var (value, type) in ShapeInference.Infer(model).Types)
        {
            value.Type ??= type;
        }

        return model;
    }

    private Model Split(WeightLayer layer, Action<WeightLayer> split)
    {
        var model = Single(layer);
        split(LowRankLayers.Find(model, [], [], []).Layers.Single());
        return model;
    }

    private sealed class Bound(Model model, IBoundSession session, Dictionary<string, TensorBuffer> buffers) : IDisposable
    {
        public static Bound Of(Model model, StepContext context)
        {
            var buffers = model.Graph.Inputs.Concat(model.Graph.Outputs).ToDictionary(v => v.Name, v => new TensorBuffer(v.ElementType, v.Shape!.ToSizes()));
            return new(model, context.Inference.Bind(model, buffers), buffers);
        }

        public double Seconds(int runs)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < runs; i++)
            {
                session.Run();
            }

            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        public void Dispose()
        {
            session.Dispose();
            foreach (var buffer in buffers.Values)
            {
                buffer.Dispose();
            }

            model.Dispose();
        }
    }
}
