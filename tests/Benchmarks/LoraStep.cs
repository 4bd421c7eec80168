using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>A step of low-rank adaptation against one of full fine-tuning, on the same encoder and batch.</summary>
[Benchmark("lora-step")]
public sealed class LoraStep : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "LoRA step (--rank N) of an encoder over the step of full fine-tuning: at most 0.6 (--threads N)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var threads = (int)context.Option("threads", 2);
        using var full = TrainingStepModel.Create("encoder", threads, kernels: true);
        using var adapted = TrainingStepModel.CreateAdapted((int)context.Option("rank", 8), threads);
        List<double> ofFull = [], ofAdapted = [];
        for (var i = 0; i < context.Option("rounds", 40); i++)
        {
            ofFull.Add(Interleaved.Seconds(full.Run));
            ofAdapted.Add(Interleaved.Seconds(adapted.Run));
        }

        // The quietest moment of each side, past the warm-up: what else the machine does only ever adds.
        var (a, f) = (ofAdapted.Skip(5).Min(), ofFull.Skip(5).Min());
        return new Outcome(a / f, 0.6, "x full")
        {
            Details =
            [
                new("full", Interleaved.Median(ofFull) * 1e3, f * 1e3, ofFull.Max() * 1e3, "ms"),
                new("LoRA", Interleaved.Median(ofAdapted) * 1e3, a * 1e3, ofAdapted.Max() * 1e3, "ms"),
            ],
        };
    }
}
