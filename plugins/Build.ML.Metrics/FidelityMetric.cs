using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics;

/// <summary>
/// How close a model's output stays to the source model's, without labels. <c>fidelity_sqnr_db</c>: signal to quantization noise,
/// 10·log10(Σ s² / Σ (s − q)²) over all elements of all samples, 300 dB where nothing differs. <c>fidelity_cosine</c>: cosine of the two outputs of a
/// sample, averaged. <c>fidelity_argmax_agreement</c>: fraction of rows over the last axis with the same highest score.
/// </summary>
[Metric("fidelity")]
public sealed class FidelityMetric : OutputMetric<FidelityMetric.Options>
{
    // Beyond what double precision can tell from equality (about 313 dB), and finite, so that reports and gates can hold it.
    private const double Identical = 300;

    /// <summary>Which output.</summary>
    public sealed record Options
    {
        /// <summary>Number of the output to compare, from 0. Default 0.</summary>
        [Range(0, int.MaxValue)]
        public int Output { get; init; }
    }

    /// <inheritdoc/>
    public override bool NeedsSourceOutputs => true;

    /// <inheritdoc/>
    public override IMetricAccumulator Begin(Options options) => new Accumulator(options);

    private sealed class Accumulator(Options options) : IMetricAccumulator
    {
        private double _signal;
        private double _noise;
        private double _cosines;
        private long _samples;
        private long _agreed;
        private long _rows;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
        {
            var (actual, source) = (OutputScores.Of(outputs, options.Output), OutputScores.Of(sourceOutputs, options.Output));
            var (q, s) = (OutputScores.Select(outputs, options.Output), OutputScores.Select(sourceOutputs, options.Output));
            if (!q.Sizes.SequenceEqual(s.Sizes) || q.Sizes[0] % batch.Count != 0)
            {
                throw new DiagnosticException(
                    "BML6102", $"Output {options.Output} is {q}, the source model's is {s}, for {batch.Count} samples; expected equal sizes. Choose another with 'output'.");
            }

            var length = actual.All.Length / batch.Count;
            for (var i = 0; i < batch.Count; i++)
            {
                AddSample(actual.All.Slice(i * length, length), source.All.Slice(i * length, length));
            }

            for (var row = 0; row < actual.Rows; row++)
            {
                _agreed += actual.ArgMax(row) == source.ArgMax(row) ? 1 : 0;
            }

            _rows += actual.Rows;
            _samples += batch.Count;
        }

        public ImmutableArray<MetricValue> Result()
        {
            var cosine = Labels.Mean(_cosines, _samples, "fidelity");
            var decibels = _noise == 0 ? Identical : _signal == 0 ? -Identical : Math.Min(Identical, 10 * Math.Log10(_signal / _noise));
            return
            [
                new("fidelity_sqnr_db", decibels, "dB", Direction.HigherIsBetter) { Note = _noise == 0 ? "identical" : "" },
                new("fidelity_cosine", cosine, "ratio", Direction.HigherIsBetter),
                new("fidelity_argmax_agreement", Labels.Mean(_agreed, _rows, "fidelity"), "ratio", Direction.HigherIsBetter),
            ];
        }

        private void AddSample(ReadOnlySpan<float> actual, ReadOnlySpan<float> source)
        {
            double signal = 0, noise = 0, product = 0, energy = 0;
            for (var i = 0; i < source.Length; i++)
            {
                double s = source[i], q = actual[i];
                signal += s * s;
                energy += q * q;
                product += s * q;
                noise += (s - q) * (s - q);
            }

            _signal += signal;
            _noise += noise;
            _cosines += signal == 0 && energy == 0 ? 1 : signal == 0 || energy == 0 ? 0 : product / Math.Sqrt(signal * energy);
        }
    }
}
