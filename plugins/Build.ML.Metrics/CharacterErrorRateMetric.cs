using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;
using Build.ML.Metrics.Text;

namespace Build.ML.Metrics;

/// <summary>
/// Character error rate: edit distances between the texts read and the labels, summed over all samples, divided by the number of characters of all
/// labels. 0 is perfect; it can exceed 1.
/// </summary>
[Metric("cer")]
public sealed class CharacterErrorRateMetric : OutputMetric<CharacterErrorRateMetric.Options>
{
    /// <summary>How the output becomes text.</summary>
    public sealed record Options : TextOptions;

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) => new Accumulator(options);

    private sealed class Accumulator(Options options) : IMetricAccumulator
    {
        private readonly TextAnswers _answers = new(options, "cer");
        private long _errors;
        private long _characters;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
        {
            foreach (var (expected, actual) in _answers.Of(batch, outputs))
            {
                var (distance, length) = EditDistance.Of(expected, actual);
                _errors += distance;
                _characters += length;
            }
        }

        public ImmutableArray<MetricValue> Result() =>
        [
            new("cer", Labels.Mean(_errors, _characters, "cer"), "ratio", Direction.LowerIsBetter)
            {
                Note = $"{_errors} errors in {_characters} characters",
            },
        ];
    }
}
