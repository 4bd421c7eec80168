using System.Globalization;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.Quantization.Static;

/// <summary>What a search for sensitive layers measures candidates by.</summary>
internal abstract class SensitivityScale
{
    /// <summary>What a candidate reaches; more is better.</summary>
    public abstract double Measure(Model candidate);

    /// <summary>What tells how much a single layer costs.</summary>
    public virtual double MeasureOne(Model candidate) => Measure(candidate);

    /// <summary>The least that will do.</summary>
    public abstract double Target { get; }

    /// <summary>Whether a layer's cost is measured with only that layer quantized, instead of with only that layer taken out.</summary>
    public abstract bool MeasuresAlone { get; }

    /// <summary>A value for people.</summary>
    public abstract string Describe(double value);

    /// <summary>The scale that options ask for.</summary>
    public static SensitivityScale Of(Sensitivity options, Abstractions.References.DataReference calibration, Model model, StepContext context) => options.By is { } metric
        ? new MetricScale(candidate => context.Evaluate(candidate, options.On ?? calibration, [metric])[0], model, options.Within!.Value)
        : new FidelityScale(options, new OutputFidelity(model, context.Data(calibration), options.Samples, context));

    private sealed class FidelityScale(Sensitivity options, OutputFidelity fidelity) : SensitivityScale
    {
        public override double Target => options.Target!.Value;

        public override bool MeasuresAlone => true;

        public override double Measure(Model candidate)
        {
            var measured = fidelity.Measure(candidate);
            return options.Metric == FidelityMetric.SqnrDb ? measured.SqnrDecibels : measured.Agreement;
        }

        public override double MeasureOne(Model candidate) => fidelity.Measure(candidate).SqnrDecibels; // finer than agreement

        public override string Describe(double value) => string.Create(CultureInfo.InvariantCulture, $"{SnakeCase.Of(options.Metric.ToString())} {value:0.####}");
    }

    private sealed class MetricScale : SensitivityScale
    {
        private readonly Func<Model, MetricValue> _evaluate;
        private readonly MetricValue _real;
        private readonly double _within;

        public MetricScale(Func<Model, MetricValue> evaluate, Model model, double within)
        {
            (_evaluate, _within) = (evaluate, within);
            _real = evaluate(model);
        }

        public override double Target => Signed(_real.Value) - _within;

        public override bool MeasuresAlone => false;

        public override double Measure(Model candidate) => Signed(_evaluate(candidate).Value);

        public override string Describe(double value) =>
            string.Create(CultureInfo.InvariantCulture, $"{_real.Name} {Signed(value):0.####} (real model {_real.Value:0.####})");

        private double Signed(double value) => _real.Direction == Direction.HigherIsBetter ? value : -value;
    }
}
