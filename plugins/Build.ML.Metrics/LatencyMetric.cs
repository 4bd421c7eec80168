using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using Build.ML.Abstractions.Metrics;
using Build.ML.Metrics.Running;

namespace Build.ML.Metrics;

/// <summary>
/// Time of one run on one real sample (batch of one): <c>latency_p50</c> and <c>latency_p95</c>, the median and the 95th percentile over all runs. The
/// source model runs on the same samples in turns with the model.
/// </summary>
[Metric("latency")]
public sealed class LatencyMetric : ModelMetric<LatencyMetric.Options>
{
    /// <summary>How much to run.</summary>
    public sealed record Options
    {
        /// <summary>Timed runs of each model. Default 100.</summary>
        [Range(1, 1_000_000)]
        public int Runs { get; init; } = 100;

        /// <summary>Runs of each model before, which do not count. Default 10.</summary>
        [Range(0, 1_000_000)]
        public int Warmup { get; init; } = 10;

        /// <summary>Different samples that the runs go round, spread over the evaluation data. Default 20.</summary>
        [Range(1, 1_000_000)]
        public int Samples { get; init; } = 20;
    }

    /// <inheritdoc/>
    public override bool DependsOnMachine => true;

    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(Options options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var feeds = EvaluationFeeds.Singles(context, "latency", options.Samples);
        using var pair = new ModelPair(context);
        var (model, source) = pair.InTurns(
            options.Warmup + options.Runs,
            (session, round) =>
            {
                var feed = feeds[round % feeds.Length];
                var start = Stopwatch.GetTimestamp();
                session.Run(feed);
                return Stopwatch.GetElapsedTime(start).TotalSeconds;
            },
            context.Cancellation);
        var (timed, timedSource) = (model.GetRange(options.Warmup, options.Runs), source.GetRange(options.Warmup, options.Runs));
        var note = $"{options.Runs} runs on {feeds.Length} samples, {context.Threads} thread{(context.Threads == 1 ? "" : "s")}";
        return
        [
            Value("latency_p50", 0.5),
            Value("latency_p95", 0.95),
        ];

        MetricValue Value(string name, double fraction) =>
            new(name, Percentile.Of(timed, fraction), "s", Direction.LowerIsBetter) { SourceValue = Percentile.Of(timedSource, fraction), Note = note };
    }
}
