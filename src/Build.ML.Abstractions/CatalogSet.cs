using System.Reflection;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions;

/// <summary>Everything recipes can name: what built-in and other plugins bring.</summary>
/// <param name="Techniques">For <c>use:</c> of steps.</param>
/// <param name="Readers">For <c>reader:</c> of data.</param>
/// <param name="Metrics">For <c>metrics:</c> of evaluations.</param>
public sealed record CatalogSet(Catalog<ITechnique> Techniques, Catalog<IDataReader> Readers, Catalog<IMetric> Metrics)
{
    /// <summary>Scans assemblies for all three kinds.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">See <see cref="Catalog{T}.Scan"/>.</exception>
    public static CatalogSet Scan(params IReadOnlyCollection<Assembly> assemblies) => new(
        Catalog<ITechnique>.Scan(assemblies), Catalog<IDataReader>.Scan(assemblies), Catalog<IMetric>.Scan(assemblies));
}
