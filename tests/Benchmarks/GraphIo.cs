using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;

namespace Build.ML.Benchmarks;

/// <summary>Opening, validating and saving a large model, against copying its file.</summary>
[Benchmark("graph-io")]
public sealed class GraphIo : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "open + validate + save of a 1 GB ONNX over cp: at most 1.5; peak memory under 200 MB";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context) => ModelRewrite.OverCopy(context, "open + validate + save", limit: 1.5, peakLimit: 200);

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var model = Model.Open(arguments[0]);
        var errors = model.Validate().Count(d => d.Severity == Build.ML.Graph.Diagnostics.Severity.Error);
        if (errors > 0)
        {
            throw new InvalidOperationException($"The model has {errors} violations.");
        }

        model.Save(arguments[1]);
    }
}
