using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.Recipes.Tests;

/// <summary>Techniques, readers and metrics with every kind of option.</summary>
static class SampleCatalog
{
    internal static CatalogSet All { get; } = CatalogSet.Scan(typeof(SampleCatalog).Assembly);
}

public enum Importance
{
    Magnitude,
    TaylorFirstOrder,
}

[Technique("prune.channels")]
public sealed class ChannelPruning : Technique<ChannelPruning.Options>
{
    /// <summary>Options of channel pruning.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Fraction of channels removed, 0 to 1. Default 0.5.</summary>
        [Range(0d, 1d)]
        public double Sparsity { get; init; } = 0.5;

        public Importance Importance { get; init; } = Importance.Magnitude;

        public DataReference? Data { get; init; }

        public bool Exact { get; init; }

        [MinLength(1)]
        public ImmutableArray<string> Include { get; init; } = ["*"];

        [Range(1, 64)]
        public IReadOnlyList<int> Groups { get; init; } = [];

        public IReadOnlyDictionary<string, double> PerLayer { get; init; } = ImmutableSortedDictionary<string, double>.Empty;

        public Schedule? Schedule { get; init; }

        public long? Rounds { get; init; }

        [AllowedValues(1, 2, 4)]
        public int Width { get; init; } = 1;

        [Range(0f, float.PositiveInfinity)]
        public float Clip { get; init; } = 1;

        public string Note { get; init; } = "";

        public int Rate
        {
            get;
            init => field = value != 7 ? value : throw new ArgumentException("rate cannot be 7");
        }

        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (Importance == Importance.TaylorFirstOrder && Data is null)
                yield return new("importance taylor_first_order needs 'data'.", [nameof(Importance)]);
        }
    }

    public sealed record Schedule([Range(1, 100)] int Steps, double Factor = 0.1);

    public override StepResult Apply(Model model, Options options, StepContext context) => new(model);
}

[Technique("distill.logits")]
public sealed class Distillation : Technique<Distillation.Options>
{
    public sealed record Options
    {
        public required ModelReference Teacher { get; init; }

        public required DataReference Data { get; init; }

        public FileReference? Vocabulary { get; init; }

        public IReadOnlyList<ModelReference> Assistants { get; init; } = [];

        public MetricReference? By { get; init; }

        public double Temperature { get; init; } = 4;
    }

    public override StepResult Apply(Model model, Options options, StepContext context) => new(model);
}

[Technique("quantize.dynamic")]
public sealed class DynamicQuantization : Technique<NoOptions>
{
    public override StepResult Apply(Model model, NoOptions options, StepContext context) => new(model);
}

[DataReader("idx")]
public sealed class IdxReader : DataReader<IdxReader.Options>
{
    public sealed record Options(FileReference Images, FileReference? Labels = null);

    public override DataSet Read(Options options) => throw new NotSupportedException();
}

[Metric("accuracy")]
public sealed class Accuracy : ModelMetric<Accuracy.Options>
{
    public sealed record Options
    {
        [Range(1, int.MaxValue)]
        public int Top { get; init; } = 1;
    }

    public override ImmutableArray<MetricValue> Measure(Options options, MetricContext context) => [];
}

[Metric("size")]
public sealed class Size : ModelMetric<NoOptions>
{
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context) => [];
}

[Metric("latency")]
public sealed class Latency : ModelMetric<NoOptions>
{
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context) => [];
}
