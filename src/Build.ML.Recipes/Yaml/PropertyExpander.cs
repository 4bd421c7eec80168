using System.Text;

namespace Build.ML.Recipes.Yaml;

/// <summary>Replaces <c>${Name}</c> by a property's value; <c>$${</c> stands for <c>${</c> itself.</summary>
internal sealed class PropertyExpander(IReadOnlyDictionary<string, string>? properties, Violations violations)
{
    // Properties are short; a recipe that multiplies a long one is a mistake or an attack.
    private const int MaximumTotal = 4 << 20;

    private readonly Dictionary<string, string> _properties = new(
        properties ?? new Dictionary<string, string>(), StringComparer.OrdinalIgnoreCase); // as MSBuild compares names
    private int _total;

    /// <summary>The properties named so far, with their values.</summary>
    internal SortedDictionary<string, string> Used { get; } = new(StringComparer.Ordinal);

    internal YamlScalar Expand(YamlScalar scalar)
    {
        var start = scalar.Text.IndexOf("${", StringComparison.Ordinal);
        if (start < 0)
        {
            return scalar;
        }

        var text = scalar.Text;
        var result = new StringBuilder();
        var at = 0;
        for (; start >= 0; start = text.IndexOf("${", at, StringComparison.Ordinal))
        {
            result.Append(text, at, start - at);
            if (start > 0 && text[start - 1] == '$' && start > at)
            {
                result.Append('{'); // "$${": the first '$' is already there
                at = start + 2;
                continue;
            }

            var end = text.IndexOf('}', start);
            if (end < 0)
            {
                violations.Add("BML1019", scalar, "'${' is not closed: expected ${Name}; write $${ for the characters themselves.");
                return scalar;
            }

            result.Append(ValueOf(text[(start + 2)..end], scalar));
            at = end + 1;
        }

        result.Append(text, at, text.Length - at);
        // A property is text without a type: where it is all there is, quotes around it (needed inside { }) do not make it text rather than a number.
        var isWhole = text.StartsWith("${", StringComparison.Ordinal) && text.IndexOf('}', StringComparison.Ordinal) == text.Length - 1;
        return scalar with { Text = result.ToString(), IsPlain = scalar.IsPlain || isWhole };
    }

    private string ValueOf(string name, YamlScalar place)
    {
        if (!_properties.TryGetValue(name, out var value))
        {
            violations.Add("BML1019", place,
                $"Property '{YamlScalar.Shorten(name)}' is not set; pass it (an item BuildMLProperty in MSBuild, --property on the command line)."
                + violations.Suggest(name, _properties.Keys));
            return "";
        }

        _total += value.Length;
        if (_total > MaximumTotal)
        {
            violations.Add("BML1003", place, $"Properties expand to more than {MaximumTotal} characters; use fewer or shorter ones.");
            return "";
        }

        Used[name] = value;
        return value;
    }
}
