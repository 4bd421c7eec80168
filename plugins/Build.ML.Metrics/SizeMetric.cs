using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;

namespace Build.ML.Metrics;

/// <summary>Bytes of the model's file and its external data.</summary>
[Metric("size")]
public sealed class SizeMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return [new("size", Length(context.ModelFile), "bytes", Direction.LowerIsBetter) { SourceValue = Length(context.SourceFile) }];
    }

    private static long Length(string file)
    {
        using var model = Model.Open(file);
        return model.Files.Sum(f => new FileInfo(f).Length);
    }
}
