using Build.ML.Abstractions.Metrics;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics;

/// <summary>Mean negative log-likelihood of each next token of a language model, in nats; 0 is perfect.</summary>
[Metric("nll")]
public sealed class NegativeLogLikelihoodMetric : OutputMetric<NegativeLogLikelihoodMetric.Options>
{
    /// <summary>Where ids and logits are.</summary>
    public sealed record Options : NextTokenOptions;

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) =>
        new NextTokenLoss(options, "nll", mean => new("nll", mean, "nat", Direction.LowerIsBetter));
}
