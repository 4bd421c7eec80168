using Build.ML.Abstractions.Metrics;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics;

/// <summary>Perplexity of a language model: e to the mean negative log-likelihood of each next token; 1 is perfect.</summary>
[Metric("perplexity")]
public sealed class PerplexityMetric : OutputMetric<PerplexityMetric.Options>
{
    /// <summary>Where ids and logits are.</summary>
    public sealed record Options : NextTokenOptions;

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) =>
        new NextTokenLoss(options, "perplexity", mean => new("perplexity", Math.Exp(mean), "count", Direction.LowerIsBetter));
}
