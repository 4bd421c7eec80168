using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.RegularExpressions;
using Build.ML.Abstractions.Components;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes.Options;

/// <summary>Scalars to values by the YAML 1.2 core schema: <c>yes</c> is text, not truth; quoted <c>"3"</c> is text, not a number.</summary>
internal static partial class OptionScalars
{
    internal static bool TryRead(OptionType type, YamlScalar scalar, OptionProperty option, out object? value)
    {
        value = type switch
        {
            TextOption => scalar.Text,
            EnumOption words => words.Values.FirstOrDefault(v => v.Key == scalar.Text).Value,
            BooleanOption when scalar.IsPlain => scalar.Text switch
            {
                "true" or "True" or "TRUE" => true,
                "false" or "False" or "FALSE" => false,
                _ => null,
            },
            IntegerOption integer when scalar.IsPlain && TryInteger(scalar.Text, out var number) && number >= integer.Minimum && number <= integer.Maximum =>
                Convert.ChangeType((decimal)number, integer.ClrType, CultureInfo.InvariantCulture),
            NumberOption when scalar.IsPlain && TryNumber(scalar.Text, out var number) => Narrowed(type, number, option),
            _ => null,
        };
        return value is not null;
    }

    /// <summary>For messages: what the option takes.</summary>
    internal static string Expected(OptionType type) => type switch
    {
        BooleanOption => "true or false",
        IntegerOption integer => $"a whole number from {integer.Minimum} to {integer.Maximum}",
        NumberOption => "a finite number",
        EnumOption words => $"one of {string.Join(", ", words.Values.Select(v => v.Key))}",
        ReferenceOption { Kind: ReferenceKind.Data } => "the name of a data set",
        ReferenceOption { Kind: ReferenceKind.Model } => "'model' or the id of a step",
        ReferenceOption { Kind: ReferenceKind.Metric } => "the name of a metric of 'evaluate'",
        ReferenceOption => "a path",
        ListOption list => $"a list, each element {Expected(list.Item)}",
        MapOption map => $"a mapping, each value {Expected(map.Value)}",
        RecordOption => "a mapping of keys and values",
        ComponentOption component => $"the name of a {ComponentCatalogs.WordFor(component.ClrType)}, or a mapping with '{ComponentOption.Selector}' and its options",
        _ => "text",
    };

    /// <summary>A whole number: decimal, <c>0x</c> hexadecimal or <c>0o</c> octal.</summary>
    internal static bool TryInteger(string text, out Int128 value)
    {
        value = 0;
        if (text.Length > 40)
        {
            return false;
        }

        if (text.StartsWith("0x", StringComparison.Ordinal))
        {
            return text.Length <= 18 && Int128.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        }

        return Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static bool TryNumber(string text, out double value)
    {
        value = text switch
        {
            ".nan" or ".NaN" or ".NAN" => double.NaN,
            ".inf" or ".Inf" or ".INF" or "+.inf" or "+.Inf" or "+.INF" => double.PositiveInfinity,
            "-.inf" or "-.Inf" or "-.INF" => double.NegativeInfinity,
            _ => 0,
        };
        return value != 0 || (Number().IsMatch(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value));
    }

    // Infinity only where the option's range says so, "not a number" only where its allowed values do.
    private static object? Narrowed(OptionType type, double number, OptionProperty option)
    {
        var value = type.ClrType == typeof(float) ? (object)(float)number : number;
        var asWritten = double.IsFinite(number) == double.IsFinite(Convert.ToDouble(value, CultureInfo.InvariantCulture));
        var allowed = double.IsFinite(number)
            || option.Checks.OfType<AllowedValuesAttribute>().Any(a => a.Values.Contains(value))
            || (!double.IsNaN(number) && option.Checks.OfType<RangeAttribute>().Any(
                r => number > 0 ? double.IsPositiveInfinity(Bound(r.Maximum)) : double.IsNegativeInfinity(Bound(r.Minimum))));
        return asWritten && allowed ? value : null;
    }

    private static double Bound(object bound) => bound is double number ? number : 0;

    [GeneratedRegex(@"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Number();
}
