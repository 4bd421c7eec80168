using Build.ML.Abstractions.Techniques;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Quantization.Dynamic;

namespace Build.ML.Benchmarks;

/// <summary>Quantizing the weights of a large model, from file to file, against copying its file.</summary>
[Benchmark("dynamic-io")]
public sealed class DynamicIo : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "quantize.dynamic of a 1 GB model over cp: at most 3; peak memory under 300 MB";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context) => ModelRewrite.OverCopy(context, "quantize.dynamic", limit: 3, peakLimit: 300);

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var model = Model.Open(arguments[0]);
        var context = new StepContext
        {
            StepId = "int8",
            Data = _ => throw new NotSupportedException(),
            Model = _ => throw new NotSupportedException(),
            Inference = new NoInference(),
            ScratchDirectory = Path.GetDirectoryName(arguments[1])!,
        };
        new DynamicQuantization().Apply(model, new DynamicQuantization.Options(), context).Model.Save(arguments[1]);
    }
}
