using Build.ML.Abstractions.References;

namespace Build.ML.Recipes.Options;

/// <summary>A reference found in bound options.</summary>
/// <param name="Path">Where: keys joined by dots, elements as <c>[0]</c>.</param>
/// <param name="Kind">What it names.</param>
/// <param name="Name">Name of the data set, model or metric; for files the absolute path or <c>npm:</c> reference.</param>
public sealed record OptionReference(string Path, ReferenceKind Kind, string Name)
{
    internal static string? NameOf(object? value) => value switch
    {
        DataReference data => data.Name,
        ModelReference model => model.Name,
        MetricReference metric => metric.Name,
        FileReference file => file.Path,
        _ => null,
    };
}
