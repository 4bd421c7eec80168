using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Metrics.Running;

namespace Build.ML.Metrics;

/// <summary>
/// Highest rise of this process's physical memory while a session is created from the model's file and runs one real sample, weights and the runtime's
/// buffers included; the source model right after. Memory that the process already held and reuses is not seen, and what else runs in it at the time is.
/// </summary>
[Metric("peak_memory")]
public sealed class PeakMemoryMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override bool DependsOnMachine => true;

    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var feed = EvaluationFeeds.Singles(context, "peak_memory", 1)[0];
        var settings = new InferenceOptions { Threads = context.Threads };

        // Once without measuring, so that the runtime's libraries and this code are loaded in both measurements.
        Run(context.Model);
        var model = PeakMemoryProbe.Measure(() => Run(context.Model));
        return
        [
            new("peak_memory", model, "bytes", Direction.LowerIsBetter)
            {
                SourceValue = context.ModelFile == context.SourceFile ? model : PeakMemoryProbe.Measure(() => Run(context.Source)),
                Note = PeakMemoryProbe.KeepsPeak ? "rise of the resident set, the kernel's peak" : "rise of the working set, sampled each millisecond",
            },
        ];

        void Run(Model model)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            using var session = context.Inference.Open(model, settings);
            session.Run(feed);
        }
    }
}
