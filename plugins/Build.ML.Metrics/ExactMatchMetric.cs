using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;
using Build.ML.Metrics.Text;

namespace Build.ML.Metrics;

/// <summary>Fraction of samples whose text is read without any error.</summary>
[Metric("exact_match")]
public sealed class ExactMatchMetric : OutputMetric<ExactMatchMetric.Options>
{
    /// <summary>How the output becomes text.</summary>
    public sealed record Options : TextOptions;

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) => new Accumulator(options);

    private sealed class Accumulator(Options options) : IMetricAccumulator
    {
        private readonly TextAnswers _answers = new(options, "exact_match");
        private long _right;
        private long _count;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
        {
            foreach (var (expected, actual) in _answers.Of(batch, outputs))
            {
                _right += expected == actual ? 1 : 0;
                _count++;
            }
        }

        public ImmutableArray<MetricValue> Result() =>
            [new("exact_match", Labels.Mean(_right, _count, "exact_match"), "ratio", Direction.HigherIsBetter) { Note = $"{_right} of {_count}" }];
    }
}
