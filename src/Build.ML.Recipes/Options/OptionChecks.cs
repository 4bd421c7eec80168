using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes.Options;

/// <summary>Data annotations on values, with messages that give the actual and the expected value.</summary>
internal static class OptionChecks
{
    internal static void Check(OptionProperty option, object? value, YamlNode node, Violations violations)
    {
        foreach (var check in option.Checks)
        {
            if (option.Type is ListOption && check is RangeAttribute or RegularExpressionAttribute)
            {
                var items = (node as YamlSequence)?.Items ?? [];
                var index = 0;
                foreach (var item in OptionCollections.Items(value))
                {
                    One(check, item, $"{option.Key}[{index}]", index < items.Length ? items[index] : node, violations);
                    index++;
                }
            }
            else
            {
                One(check, value, option.Key, node, violations);
            }
        }
    }

    private static void One(ValidationAttribute check, object? value, string name, YamlNode node, Violations violations)
    {
        if (!IsValid(check, value))
        {
            violations.Add("BML1010", node, $"'{name}' is {Actual(node)}; {Expected(check, name)}.");
        }
    }

    private static bool IsValid(ValidationAttribute check, object? value)
    {
        try
        {
            return check.IsValid(value);
        }
        catch (OverflowException) // a range of int on an option of long
        {
            return false;
        }
    }

    private static string Actual(YamlNode node) => node switch
    {
        YamlScalar { IsNull: false } scalar => YamlScalar.Shorten(scalar.Text.Length == 0 ? "''" : scalar.Text),
        YamlSequence list => $"a list of {list.Items.Length}",
        YamlMapping map => $"a mapping of {map.Entries.Length}",
        _ => node.Kind,
    };

    private static string Expected(ValidationAttribute check, string name) => check switch
    {
        // Before messages of the record's own: these two have one by default, which names no values.
        AllowedValuesAttribute values => $"expected one of {string.Join(", ", values.Values)}",
        DeniedValuesAttribute values => $"expected none of {string.Join(", ", values.Values)}",
        { ErrorMessage: { } message } => $"expected {string.Format(CultureInfo.InvariantCulture, message, name)}",
        RangeAttribute range => string.Create(CultureInfo.InvariantCulture,
            $"expected {range.Minimum}{(range.MinimumIsExclusive ? " (excluded)" : "")} to {range.Maximum}{(range.MaximumIsExclusive ? " (excluded)" : "")}"),
        MinLengthAttribute least => $"expected a length of at least {least.Length}",
        MaxLengthAttribute most => $"expected a length of at most {most.Length}",
        LengthAttribute both => $"expected a length from {both.MinimumLength} to {both.MaximumLength}",
        StringLengthAttribute text => $"expected a length from {text.MinimumLength} to {text.MaximumLength}",
        RegularExpressionAttribute pattern => $"expected text that matches {pattern.Pattern}",
        _ => check.FormatErrorMessage(name).TrimEnd('.'),
    };
}
