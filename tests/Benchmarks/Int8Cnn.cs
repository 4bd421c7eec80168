using Build.ML.Abstractions.Inference;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Benchmarks;

/// <summary>Latency of statically quantized convolutional networks over that of the real ones.</summary>
[Benchmark("int8-cnn")]
public sealed class Int8Cnn : IBenchmark
{
    private const int RunsPerRound = 100;

    /// <inheritdoc/>
    public string Summary => "resnet20 and resnet56 (--data FOLDER), one image, one thread: int8 takes at most 1/1.8 of the time of fp32";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var details = new List<Measured>();
        var worst = 0d;
        foreach (var network in new[] { "resnet20", "resnet56" })
        {
            var figures = new RecipeRun(context).Build(CnnQuality.Recipe(context, network, [("int8", ""), ("weights4_int8", ", weight_bits: 4")]), network);
            using var real = Open(figures.ModelOf("current"));
            using var eight = Open(figures.ModelOf("int8"));
            using var four = Open(figures.ModelOf("weights4_int8"));
            var sides = Interleaved.Run(
                (int)context.Option("rounds", 21), "ms", ($"{network} fp32", () => Time(real)), ($"{network} int8", () => Time(eight)),
                ($"{network} int8, weights of 4 bits", () => Time(four)));
            details.AddRange(sides);
            worst = Math.Max(worst, sides[1].Median / sides[0].Median);
        }

        return new Outcome(worst, 1 / 1.8, "x fp32") { Details = details };
    }

    private static IInferenceSession Open(string file)
    {
        using var model = Model.Open(file);
        return new OnnxRuntimeInference().Open(model);
    }

    private static double Time(IInferenceSession session)
    {
        var image = Tensor.Of(new float[3 * 32 * 32], 1, 3, 32, 32);
        return 1000 * Interleaved.Seconds(() =>
        {
            for (var i = 0; i < RunsPerRound; i++)
            {
                session.Run([new("", image)]);
            }
        }) / RunsPerRound;
    }
}
