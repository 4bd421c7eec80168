using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics;

/// <summary>
/// Fraction of samples whose highest score is the label's class (top-1); of equal scores the first counts. A model with a single score for a sample
/// decides between class 0 and 1 by a threshold.
/// </summary>
[Metric("accuracy")]
public sealed class AccuracyMetric : OutputMetric<AccuracyMetric.Options>
{
    /// <summary>Which output, and how a single score decides.</summary>
    public sealed record Options
    {
        /// <summary>Number of the output that holds the scores [batch, classes], from 0. Default 0.</summary>
        [Range(0, int.MaxValue)]
        public int Output { get; init; }

        /// <summary>Where the output is a single score: class 1 above it, else class 0. Default 0, which fits a logit; use 0.5 for a probability.</summary>
        public double Threshold { get; init; }
    }

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) => new Accumulator(options);

    private sealed class Accumulator(Options options) : IMetricAccumulator
    {
        private long _right;
        private long _count;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
        {
            var scores = OutputScores.Of(outputs, options.Output).OneRowFor(batch);
            for (var i = 0; i < batch.Count; i++)
            {
                var answer = scores.Classes > 1 ? scores.ArgMax(i) : scores[i][0] > options.Threshold ? 1 : 0;
                _right += answer == Labels.ClassOf(batch.Labels[i], Math.Max(2, scores.Classes), "accuracy") ? 1 : 0;
            }

            _count += batch.Count;
        }

        public ImmutableArray<MetricValue> Result() =>
            [new("accuracy", Labels.Mean(_right, _count, "accuracy"), "ratio", Direction.HigherIsBetter)];
    }
}
