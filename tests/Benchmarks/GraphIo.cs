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
    public Outcome Run(BenchmarkContext context)
    {
        var model = Path.Combine(context.Folder, "model.onnx");
        var target = Path.Combine(context.Folder, "target.onnx");
        LargeModel.Write(model, context.Option("bytes", 1L << 30));
        long peak = 0;
        var rounds = (int)context.Option("rounds", 7);
        var sides = Interleaved.Run(
            rounds,
            "s",
            ("open + validate + save", () =>
            {
                File.Delete(target);
                var child = context.RunChild(model, target);
                peak = Math.Max(peak, child.PeakBytes);
                return child.Seconds;
            }
        ),
            (FileCopy.Name, () =>
            {
                File.Delete(target);
                return Interleaved.Seconds(() => FileCopy.Run(model, target));
            }
        ));
        return new Outcome(sides[0].Median / sides[1].Median, 1.5, $"x {FileCopy.Name}")
        {
            Details = sides,
            Conditions = [new("peak memory", peak / 1e6, 200, "MB")],
        };
    }

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
