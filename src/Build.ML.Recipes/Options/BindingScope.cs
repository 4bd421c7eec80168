using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.References;
using Build.ML.Graph.Catalogs;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes.Options;

/// <summary>What option values may refer to while a recipe is read.</summary>
/// <param name="violations">Receives what is wrong.</param>
/// <param name="components">Classes that options may choose by name.</param>
/// <param name="data">Names under <c>data:</c>.</param>
/// <param name="models"><c>model</c> and the ids of steps.</param>
/// <param name="metrics">Names under <c>metrics:</c> of <c>evaluate:</c>.</param>
internal sealed class BindingScope(
    Violations violations, ComponentCatalogs components, IReadOnlySet<string> data, IReadOnlySet<string> models, IReadOnlySet<string> metrics)
{
    private static readonly HashSet<string> Nothing = [];

    internal Violations Violations => violations;

    internal BindingScope WithMetrics(IReadOnlySet<string> names) => new(violations, components, data, models, names);

    /// <summary>For options that may name files only: neither data nor models nor metrics.</summary>
    internal BindingScope FilesOnly() => new(violations, components, Nothing, Nothing, Nothing);

    /// <summary>The class of a component, or null after a violation.</summary>
    internal CatalogEntry<object>? Component(Type kind, YamlScalar name)
    {
        var members = components.Of(kind);
        if (members?.Find(name.Text) is { } entry)
        {
            return entry;
        }

        violations.Add("BML1012", name, $"No {ComponentCatalogs.WordFor(kind)} is named {name.Kind}."
            + $"{violations.Suggest(name.Text, members?.Names ?? [])} A plugin that brings it may be missing.");
        return null;
    }

    internal object? Resolve(ReferenceKind kind, YamlScalar scalar) => kind switch
    {
        ReferenceKind.Data => Data(scalar) is { } name ? new DataReference(name) : null,
        ReferenceKind.Model => Model(scalar) is { } name ? new ModelReference(name) : null,
        ReferenceKind.Metric => Metric(scalar) is { } name ? new MetricReference(name) : null,
        _ => File(scalar) is { } path ? new FileReference(path) : null,
    };

    internal string? Data(YamlScalar scalar)
    {
        if (data.Contains(scalar.Text))
        {
            return scalar.Text;
        }

        violations.Add("BML1014", scalar, $"Data set {scalar.Kind} is not under 'data:'.{violations.Suggest(scalar.Text, data)}");
        return null;
    }

    internal string? Model(YamlScalar scalar)
    {
        if (models.Contains(scalar.Text))
        {
            return scalar.Text;
        }

        violations.Add("BML1013", scalar, $"{scalar.Kind} is neither 'model' nor the id of a step.{violations.Suggest(scalar.Text, models)}");
        return null;
    }

    internal string? Metric(YamlScalar scalar)
    {
        if (metrics.Contains(scalar.Text))
        {
            return scalar.Text;
        }

        violations.Add("BML1032", scalar, $"{scalar.Kind} is no metric of 'evaluate:'; a step searches by one that is.{violations.Suggest(scalar.Text, metrics)}");
        return null;
    }

    internal string? File(YamlScalar scalar)
    {
        var (path, problem) = FileReferences.Resolve(scalar);
        if (problem is not null)
        {
            violations.Add(problem);
        }

        return path;
    }
}
