using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// LeNet on MNIST from nothing, then pruned, clustered with trained codebooks and packed: the three stages of Han, Mao and Dally 2016 ("Deep Compression", arXiv 1510.00149), who came to 39 times
/// smaller for LeNet-5.
/// </summary>
[Benchmark("deep-compression")]
public sealed class DeepCompression : IBenchmark
{
    /// <inheritdoc/>
    public string Summary =>
        "LeNet-5 (431,080 parameters) on MNIST trained, pruned (--sparsity PERCENT), clustered (--conv BITS, --linear BITS) and packed: at least 35 times smaller as shipped, within 0.2 points; "
        + "--epochs N of pruning";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var figures = new RecipeRun(context).Build(
            Recipe(context.Option("sparsity", 94), context.Option("epochs", 6), context.Option("conv", 6), context.Option("linear", 4)), "deep-compression");
        string[] steps = ["dense", "pruned", "clustered"];
        return new Outcome(figures["clustered", "packed_size"] / figures["dense", "size"], 1 / 35d, "x the dense model's bytes")
        {
            Conditions = [new("points of accuracy lost", 100 * (figures["dense", "accuracy"] - figures["clustered", "accuracy"]), 0.2, "points")],
            Details =
            [
                .. steps.Select(s => new Measured(
                    $"{s}: accuracy", 100 * figures[s, "accuracy"], 100 * figures[s, "accuracy"], 100 * figures[s, "accuracy"],
                    string.Create(CultureInfo.InvariantCulture, $"% ({figures[s, "size"] / 1000:0.0} kB, packed {figures[s, "packed_size"] / 1000:0.0} kB)"))),
            ],
        };
    }

    private static string Recipe(long sparsity, long epochs, long conv, long linear)
    {
        const string Fast = "batch_size: 128, optimizer: { use: adamw, learning_rate: 0.002, weight_decay: 0.01 }, schedule: one_cycle";
        return string.Create(CultureInfo.InvariantCulture,
            $$"""
            model: { architecture: lenet, variant: caffe }
            data:
            {{MnistSets.Data}}
            steps:
              - { id: dense, use: train, with: { data: train, epochs: 3, {{Fast}} } }
              - { id: pruned, use: prune.gradual, with: { data: train, epochs: {{epochs}}, sparsity: {{sparsity / 100d}}, scope: global, teacher: dense, {{Fast}} } }
              - id: clustered
                use: share.cluster
                with:
                  bits: {{linear}}
                  bits_of: [{ layers: ["conv*"], bits: {{conv}} }]
                  fine_tune: { data: train, epochs: 1, teacher: dense, batch_size: 128, optimizer: { use: adamw, learning_rate: 0.0003 }, schedule: cosine }
            evaluate: { data: test, steps: [dense, pruned, clustered], metrics: [accuracy, size, packed_size] }
            outputs: { lenet.onnx: clustered }
            """);
    }
}
