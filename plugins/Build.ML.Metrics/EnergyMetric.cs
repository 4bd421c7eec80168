using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Metrics;
using Build.ML.Metrics.Running;

namespace Build.ML.Metrics;

/// <summary>
/// Energy of one run on one real sample, the median over rounds of several runs; the source model's rounds in turns with the model's. Measured with the
/// processor's own counters (RAPL) where the kernel lets this user read them, else estimated as processor time times a stated power: the note says which.
/// </summary>
[Metric("energy")]
public sealed class EnergyMetric : ModelMetric<EnergyMetric.Options>
{
    /// <summary>How much to run and what to assume.</summary>
    public sealed record Options
    {
        /// <summary>Rounds of each model. Default 7.</summary>
        [Range(1, 1_000_000)]
        public int Rounds { get; init; } = 7;

        /// <summary>Runs in a round: long enough for the counters, which tick about every millisecond. Default 20.</summary>
        [Range(1, 1_000_000)]
        public int Runs { get; init; } = 20;

        /// <summary>Power of one busy core in watts, for machines whose counters cannot be read. Default 15.</summary>
        [Range(0.001, 100_000)]
        public double Watts { get; init; } = 15;
    }

    /// <inheritdoc/>
    public override bool DependsOnMachine => true;

    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(Options options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var feeds = EvaluationFeeds.Singles(context, "energy", options.Runs);
        IEnergyCounter counter = RaplCounter.Find() ?? (IEnergyCounter)new CpuTimeCounter(options.Watts);
        using var pair = new ModelPair(context);
        var (model, source) = pair.InTurns(
            options.Rounds + 1, // the first is warm-up
            (session, _) =>
            {
                var before = counter.Read();
                for (var run = 0; run < options.Runs; run++)
                {
                    session.Run(feeds[run % feeds.Length]);
                }

                return (counter.Read() - before) / options.Runs;
            },
            context.Cancellation);
        return
        [
            new("energy", Percentile.Of(model[1..], 0.5), "J", Direction.LowerIsBetter)
            {
                SourceValue = Percentile.Of(source[1..], 0.5),
                Note = counter.Description,
            },
        ];
    }
}
