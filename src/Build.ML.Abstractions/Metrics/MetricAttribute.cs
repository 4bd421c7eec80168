using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions.Metrics;

/// <summary>Names a metric as recipes do in <c>evaluate: { metrics: […] }</c>.</summary>
/// <param name="name">Lower case, snake_case (a name is used in gate expressions).</param>
public sealed class MetricAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(IMetric);
}
