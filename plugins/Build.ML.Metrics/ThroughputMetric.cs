using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using Build.ML.Abstractions.Metrics;
using Build.ML.Metrics.Running;

namespace Build.ML.Metrics;

/// <summary>Samples in a second, run in batches: all samples divided by all time. The source model runs the same batches in turns with the model.</summary>
[Metric("throughput")]
public sealed class ThroughputMetric : ModelMetric<ThroughputMetric.Options>
{
    /// <summary>How much to run.</summary>
    public sealed record Options
    {
        /// <summary>Samples in a batch; samples of other sizes begin a new one. Default 8; 1 for models that take one only.</summary>
        [Range(1, 1_000_000)]
        public int Batch { get; init; } = 8;

        /// <summary>Samples that are taken from the evaluation data, at least one batch. Default 64.</summary>
        [Range(1, 1_000_000)]
        public int Samples { get; init; } = 64;

        /// <summary>How often all of them are run; once more before, which does not count. Default 3.</summary>
        [Range(1, 1_000_000)]
        public int Repeats { get; init; } = 3;
    }

    /// <inheritdoc/>
    public override bool DependsOnMachine => true;

    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(Options options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var batches = EvaluationFeeds.Batches(context, "throughput", options.Batch, options.Samples);
        using var pair = new ModelPair(context);
        var (model, source) = pair.InTurns(
            batches.Length * (1 + options.Repeats),
            (session, round) =>
            {
                var start = Stopwatch.GetTimestamp();
                session.Run(batches[round % batches.Length].Inputs);
                return Stopwatch.GetElapsedTime(start).TotalSeconds;
            },
            context.Cancellation);
        var samples = (double)batches.Sum(b => b.Count) * options.Repeats;
        return
        [
            new("throughput", samples / model.Skip(batches.Length).Sum(), "1/s", Direction.HigherIsBetter)
            {
                SourceValue = samples / source.Skip(batches.Length).Sum(),
                Note = $"batches of up to {options.Batch}, {context.Threads} thread{(context.Threads == 1 ? "" : "s")}",
            },
        ];
    }
}
