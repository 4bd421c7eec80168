using System.Reflection;
using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Abstractions;

/// <summary>Everything recipes can name: what built-in and other plugins bring.</summary>
/// <param name="Techniques">For <c>use:</c> of steps.</param>
/// <param name="Readers">For <c>reader:</c> of data.</param>
/// <param name="Metrics">For <c>metrics:</c> of evaluations.</param>
/// <param name="Components">For options that take one of several classes.</param>
public sealed record CatalogSet(Catalog<ITechnique> Techniques, Catalog<IDataReader> Readers, Catalog<IMetric> Metrics, ComponentCatalogs Components)
{
    /// <summary>Scans assemblies for all kinds.</summary>
    /// <exception cref="DiagnosticException">The violations of all kinds, see <see cref="Catalog{T}.Scan"/>.</exception>
    public static CatalogSet Scan(params IReadOnlyCollection<Assembly> assemblies)
    {
        var errors = new List<Diagnostic>();
        var techniques = Collected(() => Catalog<ITechnique>.Scan(assemblies), errors);
        var readers = Collected(() => Catalog<IDataReader>.Scan(assemblies), errors);
        var metrics = Collected(() => Catalog<IMetric>.Scan(assemblies), errors);
        var components = Collected(() => ComponentCatalogs.Scan(assemblies), errors);
        return errors.Count == 0 ? new(techniques!, readers!, metrics!, components!) : throw new DiagnosticException([.. errors.Distinct()]);
    }

    private static T? Collected<T>(Func<T> scan, List<Diagnostic> errors)
        where T : class
    {
        try
        {
            return scan();
        }
        catch (DiagnosticException e)
        {
            errors.AddRange(e.Diagnostics);
            return null;
        }
    }
}
