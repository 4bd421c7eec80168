using Build.ML.Abstractions.Techniques;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Benchmarks;

/// <summary>Storing the weights of a large model in 4 bits, from file to file, against copying its file.</summary>
[Benchmark("weights-io")]
public sealed class WeightsIo : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "quantize.weights (4 bits) of a 1 GB model over cp: at most 2; peak memory under 300 MB";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context) => ModelRewrite.OverCopy(context, "quantize.weights", limit: 2, peakLimit: 300);

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var model = Model.Open(arguments[0]);
        var context = new StepContext
        {
            StepId = "int4",
            Data = _ => throw new NotSupportedException(),
            Model = _ => throw new NotSupportedException(),
            Inference = new NoInference(),
            ScratchDirectory = Path.GetDirectoryName(arguments[1])!,
        };
        new WeightQuantization().Apply(model, new WeightQuantization.Options(), context).Model.Save(arguments[1]);
    }
}
