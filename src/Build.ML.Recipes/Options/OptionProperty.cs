using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Reflection;

namespace Build.ML.Recipes.Options;

/// <summary>One option of an options record.</summary>
/// <param name="Key">As recipes spell it: snake_case.</param>
/// <param name="Property">The record's property.</param>
/// <param name="Type">What values it takes.</param>
/// <param name="IsRequired">
/// Whether a recipe must give it: <c>required</c>, <c>[Required]</c>, a constructor parameter without a default, or a reference or non-nullable text that has
/// no default.
/// </param>
/// <param name="Default">The value when a recipe says nothing; null for required options.</param>
/// <param name="Checks">Its data annotations. On a list, <c>[Range]</c> and <c>[RegularExpression]</c> hold for each element, the others for the list.</param>
public sealed record OptionProperty(
    string Key, PropertyInfo Property, OptionType Type, bool IsRequired, object? Default, ImmutableArray<ValidationAttribute> Checks)
{
    /// <summary>The constructor parameter that sets the property, or null when an initializer does.</summary>
    internal ParameterInfo? Parameter { get; init; }
}
