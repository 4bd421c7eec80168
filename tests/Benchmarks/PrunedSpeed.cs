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
        "50 % of the multiply-accumulates removed (whole blocks of channels, layers): resnet56 (--data FOLDER) at least 1.5 times as fast, an encoder of 4 layers (d 512, 128 tokens) 1.7 times";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var details = new List<Measured>();
        var conditions = new List<Condition>();
        var worst = 0d;
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "cnn"));

        // Convolutions run in blocks of 16 channels where the processor has AVX-512, else of 8: half of the 16 channels of the first stage would save nothing there, so some layers go instead.
        Measure(
            "resnet56",
            $"{data}/resnet56_cifar10.onnx",
            $$"""
            data: { images: { reader: cifar, file: {{data}}/cifar10_calib_500.bin, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], limit: 64 } }
            """,
            """
              - { id: depth, use: prune.layers, with: { count: 6, data: images } }
              - { id: slim, use: prune.channels, with: { remove_macs: 0.36, round_to: 16, minimum: 16 } }
              - { id: eights, from: whole, use: prune.channels, with: { remove_macs: 0.5 } }
            """,
            1.5);
        Measure(
            "encoder",
            "{ architecture: bert, layers: 4, hidden: 512, heads: 8, intermediate: 2048, vocabulary: 8192, length: 128, classes: 2 }",
            "",
            """
              - { id: width, use: prune.channels, with: { sparsity: 0.25 } }
              - { id: slim, use: prune.neurons, with: { remove_macs: 0.35 } }
            """,
            1.7);
        return new Outcome(worst, 1, "x the time allowed")
        {
            Conditions = conditions,
            Details = details,
        };

        void Measure(string name, string model, string data, string steps, double times)
        {
            var figures = new RecipeRun(context).Build($"model: {model}\n{data}\nsteps:\n  - {{ id: whole, use: optimize.graph }}\n{steps}\n", name);
            using var whole = Open(figures.ModelOf("whole"));
            using var slim = Open(figures.ModelOf("slim"));
            var sides = Interleaved.Run((int)context.Option("rounds", 31), "ms", ($"{name} whole", () => Time(whole)), ($"{name} slim", () => Time(slim)));
            details.AddRange(sides);
            var left = (double)Macs(figures.ModelOf("slim")) / Macs(figures.ModelOf("whole"));
            details.Add(new($"{name}: times as fast", sides[0].Median / sides[1].Median, sides[0].Smallest / sides[1].Smallest, sides[0].Largest / sides[1].Largest, $"x with {left:0.000} of the multiply-accumulates"));
            worst = Math.Max(worst, times * sides[1].Median / sides[0].Median);
            conditions.Add(new($"{name}: time", sides[1].Median / sides[0].Median, 1 / times, "x whole"));
            if (File.Exists(figures.ModelOf("eights")))
            {
                using var eights = Open(figures.ModelOf("eights"));
                var other = Interleaved.Run(9, "ms", ("whole", () => Time(whole)), ("eights", () => Time(eights)));
                details.Add(new($"{name}: times as fast by channels alone in blocks of 8", other[0].Median / other[1].Median, other[0].Smallest / other[1].Smallest, other[0].Largest / other[1].Largest, "x with half of the multiply-accumulates"));
            }

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
