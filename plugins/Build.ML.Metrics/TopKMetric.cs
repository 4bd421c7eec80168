using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics;

/// <summary>
/// Fraction of samples whose label's class is among the k highest scores; of equal scores the lower class comes first, so that k = 1 is accuracy.
/// </summary>
[Metric("top_k")]
public sealed class TopKMetric : OutputMetric<TopKMetric.Options>
{
    /// <summary>How many, and which output.</summary>
    public sealed record Options
    {
        /// <summary>How many of the highest scores count, 1 or more. Default 5.</summary>
        [Range(1, int.MaxValue)]
        public int K { get; init; } = 5;

        /// <summary>Number of the output that holds the scores [batch, classes], from 0. Default 0.</summary>
        [Range(0, int.MaxValue)]
        public int Output { get; init; }
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
                _right += Before(scores[i], Labels.ClassOf(batch.Labels[i], scores.Classes, "top_k")) < options.K ? 1 : 0;
            }

            _count += batch.Count;
        }

        public ImmutableArray<MetricValue> Result() =>
            [new("top_k", Labels.Mean(_right, _count, "top_k"), "ratio", Direction.HigherIsBetter) { Note = $"k = {options.K}" }];

        // How many classes come before this one. A score that is no number never beats another.
        private static int Before(ReadOnlySpan<float> scores, int label)
        {
            if (float.IsNaN(scores[label]))
            {
                return scores.Length;
            }

            var before = 0;
            for (var i = 0; i < scores.Length; i++)
            {
                before += scores[i] > scores[label] || (scores[i] == scores[label] && i < label) ? 1 : 0;
            }

            return before;
        }
    }
}
