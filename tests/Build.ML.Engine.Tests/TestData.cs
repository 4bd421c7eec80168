using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Tests;

/// <summary>Lines of four numbers and a class.</summary>
[DataReader("test_lines")]
public sealed class LinesReader : DataReader<LinesReader.Options>
{
    public sealed record Options
    {
        public FileReference File { get; init; }
    }

    public override DataSet Read(Options options) => new Lines(File.ReadAllLines(options.File.Path));

    private sealed class Lines(string[] lines) : DataSet
    {
        public override int Count => lines.Length;

        public override Sample this[int index]
        {
            get
            {
                var numbers = lines[index].Split(' ').Select(n => float.Parse(n, CultureInfo.InvariantCulture)).ToArray();
                return new([KeyValuePair.Create("", Tensor.Of(numbers[..4], 4))], new Label { Class = (long)numbers[4] });
            }
        }
    }
}

/// <summary>Share of samples whose largest output is the class.</summary>
[Metric("test_accuracy")]
public sealed class TestAccuracy : OutputMetric<NoOptions>
{
    public override IMetricAccumulator Begin(NoOptions options) => new Accumulator();

    private sealed class Accumulator : IMetricAccumulator
    {
        private int _right;
        private int _all;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs)
        {
            Assert.Empty(sourceOutputs);
            var output = outputs[0].ToArray<float>();
            _right += Array.IndexOf(output, output.Max()) == batch.Labels[0].Class ? 1 : 0;
            _all++;
        }

        public ImmutableArray<MetricValue> Result() => [new("test_accuracy", (double)_right / _all, "ratio", Direction.HigherIsBetter)];
    }
}

/// <summary>Mean of output minus mean of the source's.</summary>
[Metric("test_shift")]
public sealed class TestShift : OutputMetric<NoOptions>
{
    public override bool NeedsSourceOutputs => true;

    public override IMetricAccumulator Begin(NoOptions options) => new Accumulator();

    private sealed class Accumulator : IMetricAccumulator
    {
        private double _sum;

        public void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs) =>
            _sum += outputs[0].ToArray<float>().Sum() - sourceOutputs[0].ToArray<float>().Sum();

        public ImmutableArray<MetricValue> Result() => [new("test_shift", _sum, "count", Direction.LowerIsBetter)];
    }
}

/// <summary>Bytes of the file.</summary>
[Metric("test_size")]
public sealed class TestSize : ModelMetric<NoOptions>
{
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context) =>
        [new("test_size", new FileInfo(context.ModelFile).Length, "bytes", Direction.LowerIsBetter)];
}

/// <summary>A time that differs whenever it is taken.</summary>
[Metric("test_time")]
public sealed class TestTime : ModelMetric<NoOptions>
{
    private static int _taken;

    public override bool DependsOnMachine => true;

    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context) =>
        [new("test_time", Interlocked.Increment(ref _taken) * 1e-3, "s", Direction.LowerIsBetter) { SourceValue = 1, Note = "counted" }];
}
