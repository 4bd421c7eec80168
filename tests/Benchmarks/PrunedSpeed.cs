using Build.ML.Abstractions.Inference;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Costs;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Benchmarks;

/// <summary>What half of the multiply-accumulates gone saves in time: one input, one thread.</summary>
[Benchmark("pruned-speed")]
public sealed class PrunedSpeed : IBenchmark
{
    // A round lasts about so long, in seconds.
    private const double RoundTime = 0.1;

    /// <inheritdoc/>
    public string Summary =>
        "50 % of the multiply-accumulates removed (whole blocks of 8 channels): resnet56 (--data FOLDER) at least 1.5 times as fast, an encoder of 4 layers (d 512, 128 tokens) 1.7 times";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var details = new List<Measured>();
        var conditions = new List<Condition>();
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "cnn"));
        Measure("resnet56", $"{data}/resnet56_cifar10.onnx", "  - { id: slim, use: prune.channels, with: { remove_macs: 0.5 } }", 1.5);
        Measure(
            "encoder",
            "{ architecture: bert, layers: 4, hidden: 512, heads: 8, intermediate: 2048, vocabulary: 8192, length: 128, classes: 2 }",
            """
              - { id: width, use: prune.channels, with: { sparsity: 0.25 } }
              - { id: slim, use: prune.neurons, with: { remove_macs: 0.334 } }
            """,
            1.7);
        return new Outcome(conditions.Max(c => c.Value * (c.Name.StartsWith("resnet", StringComparison.Ordinal) ? 1.5 : 1.7)), 1, "x the time allowed")
        {
            Conditions = conditions,
            Details = details,
        };

        void Measure(string name, string model, string steps, double times)
        {
            var figures = new RecipeRun(context).Build($"model: {model}\nsteps:\n  - {{ id: whole, use: optimize.graph }}\n{steps}\n", name);
            using var whole = Open(figures.ModelOf("whole"));
            using var slim = Open(figures.ModelOf("slim"));
            var sides = Interleaved.Run((int)context.Option("rounds", 31), "ms", ($"{name} whole", () => Time(whole)), ($"{name} slim", () => Time(slim)));
            details.AddRange(sides);
            var left = (double)Macs(figures.ModelOf("slim")) / Macs(figures.ModelOf("whole"));
            details.Add(new($"{name}: times as fast", sides[0].Median / sides[1].Median, 0, 0, $"x with {left:0.000} of the multiply-accumulates"));
            conditions.Add(new($"{name}: time", sides[1].Median / sides[0].Median, 1 / times, "x whole"));
            conditions.Add(new($"{name}: multiply-accumulates left, 0.45 to 0.5", Math.Abs(left - 0.475), 0.0251, "from 0.475"));
        }
    }

    private static IInferenceSession Open(string file)
    {
        using var model = Model.Open(file);
        return new OnnxRuntimeInference().Open(model);
    }

    private static long Macs(string file)
    {
        using var model = Model.Open(file);
        foreach (var input in model.Graph.Inputs)
        {
            input.Type = new TensorType(input.ElementType, Shape.Of(Sizes((TensorType)input.Type!)));
        }

        var types = ShapeInference.Infer(model, useDeclared: false).Types;
        return model.AllNodes.Sum(n => MultiplyAccumulates.Of(n, v => v is null ? null : v.Initializer is { } t ? [.. t.Sizes] : (types[v] as TensorType)?.Shape?.ToSizes())!.Value);
    }

    private static double Time(IInferenceSession session)
    {
        KeyValuePair<string, Tensor>[] feeds = [.. session.Inputs.Select(i => KeyValuePair.Create(i.Key, Input((TensorType)i.Value)))];
        var runs = 0;
        var seconds = 0d;
        while (seconds < RoundTime)
        {
            seconds += Interleaved.Seconds(() => session.Run([.. feeds]));
            runs++;
        }

        return 1000 * seconds / runs;
    }

    private static long[] Sizes(TensorType type) => [.. type.Shape!.Dimensions.Select((d, i) => d.Size ?? (i == 0 ? 1 : 128))];

    // A mask of ones, tokens of 1.
    private static Tensor Input(TensorType type)
    {
        var sizes = Sizes(type);
        var count = (int)sizes.Aggregate(1L, (a, b) => a * b);
        return type.ElementType == DataType.Int64 ? Tensor.Of(Enumerable.Repeat(1L, count).ToArray(), sizes) : Tensor.Of(new float[count], sizes);
    }
}
