namespace Build.ML.Recipes.Yaml;

/// <summary>Takes the keys of a mapping one by one; what nobody took is an unknown key.</summary>
internal sealed class MappingReader(YamlMapping mapping, Violations violations)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, YamlEntry> _entries = mapping.Entries.ToDictionary(e => e.Key.Text, StringComparer.Ordinal);

    internal YamlMapping Mapping => mapping;

    internal YamlEntry? Take(string key)
    {
        _known.Add(key);
        return _entries.GetValueOrDefault(key);
    }

    /// <summary>The key's value, or null where the key is missing or says nothing; a required key must say something.</summary>
    internal YamlNode? Value(string key, bool required = false)
    {
        var entry = Take(key);
        if (entry?.Value is { } value and not YamlScalar { IsNull: true })
        {
            return value;
        }

        if (required)
        {
            violations.Add("BML1007", (YamlNode?)entry?.Key ?? mapping, $"Key '{key}' is missing or has no value here; add it.");
        }

        return null;
    }

    /// <summary>The key's value where it is text; else null, with a violation where it is something else.</summary>
    internal YamlScalar? Text(string key, bool required = false) => Value(key, required) switch
    {
        null => null,
        YamlScalar scalar => scalar,
        var other => WrongKind<YamlScalar>(key, other, "text"),
    };

    /// <summary>The key's value where it is a mapping.</summary>
    internal YamlMapping? Map(string key, bool required = false) => Value(key, required) switch
    {
        null => null,
        YamlMapping map => map,
        var other => WrongKind<YamlMapping>(key, other, "a mapping of keys and values"),
    };

    /// <summary>The key's value where it is a list.</summary>
    internal YamlSequence? List(string key, bool required = false) => Value(key, required) switch
    {
        null => null,
        YamlSequence list => list,
        var other => WrongKind<YamlSequence>(key, other, "a list"),
    };

    /// <summary>Reports every key that was not asked for.</summary>
    internal void Finish(string where)
    {
        foreach (var entry in mapping.Entries)
        {
            if (!_known.Contains(entry.Key.Text))
            {
                violations.Add("BML1006", entry.Key, $"Unknown key '{YamlScalar.Shorten(entry.Key.Text)}' in {where}.{violations.Suggest(entry.Key.Text, _known)}");
            }
        }
    }

    private T? WrongKind<T>(string key, YamlNode found, string expected)
        where T : YamlNode
    {
        violations.Add("BML1008", found, $"'{key}' is {found.Kind}; expected {expected}.");
        return null;
    }
}
