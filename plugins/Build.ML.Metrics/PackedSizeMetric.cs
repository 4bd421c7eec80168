using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Packing;

namespace Build.ML.Metrics;

/// <summary>Bytes of the model packed, as an output named <c>*.onnxz</c> is shipped: weights entropy coded, external data among them, the rest deflated.</summary>
[Metric("packed_size")]
public sealed class PackedSizeMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return [new("packed_size", Packed(context.ModelFile), "bytes", Direction.LowerIsBetter) { SourceValue = Packed(context.SourceFile) }];
    }

    private static long Packed(string file)
    {
        using var model = Model.Open(file);
        return PackedModel.Pack(model.Files.Count > 1 ? model.ToBytes() : File.ReadAllBytes(file)).Length;
    }
}
