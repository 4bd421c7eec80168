using System.Reflection;
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
public sealed record CatalogSet(Catalog<ITechnique> Techniques, Catalog<IDataReader> Readers, Catalog<IMetric> Metrics)
{
    /// <summary>Scans assemblies for all three kinds.</summary>
    /// <exception cref="DiagnosticException">The violations of all kinds, see <see cref="Catalog{T}.Scan"/>.</exception>
    public static CatalogSet Scan(params IReadOnlyCollection<Assembly> assemblies)
    {
        var errors = new List<Diagnostic>();
        var techniques = Scan<ITechnique>(assemblies, errors);
        var readers = Scan<IDataReader>(assemblies, errors);
        var metrics = Scan<IMetric>(assemblies, errors);
        return errors.Count == 0 ? new(techniques!, readers!, metrics!) : throw new DiagnosticException([.. errors.Distinct()]);
    }

    private static Catalog<T>? Scan<T>(IReadOnlyCollection<Assembly> assemblies, List<Diagnostic> errors)
        where T : class
    {
        try
        {
            return Catalog<T>.Scan(assemblies);
        }
        catch (DiagnosticException e)
        {
            errors.AddRange(e.Diagnostics);
            return null;
        }
    }
}
