using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using Build.ML.Abstractions.Components;
using Build.ML.Graph.Catalogs;
using Build.ML.Recipes.Options;

namespace Build.ML.Recipes.Schema;

/// <summary>Options records to JSON Schema objects.</summary>
/// <param name="components">Classes that options may choose by name.</param>
/// <param name="docs">Descriptions.</param>
/// <param name="definitions">Receives the definitions of nested records, which may refer to themselves.</param>
internal sealed class OptionSchemas(ComponentCatalogs components, XmlDocs docs, JsonObject definitions)
{
    /// <summary>Reference to "a whole <c>${Property}</c>", which stands for a value of any type.</summary>
    internal static JsonObject AnyProperty => Ref("property");

    internal static JsonObject Ref(string definition) => new() { ["$ref"] = "#/$defs/" + definition };

    /// <summary>The schema of an options record.</summary>
    /// <param name="type">The record.</param>
    /// <param name="more">Further properties that stand beside the options, with <c>true</c> as their schema.</param>
    internal JsonObject Record(Type type, params string[] more)
    {
        var record = OptionRecord.Of(type);
        var properties = new JsonObject();
        foreach (var key in more)
        {
            properties[key] = true;
        }

        foreach (var option in record.Properties)
        {
            properties[option.Key] = Property(option);
        }

        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
        var required = record.Properties.Where(p => p.IsRequired).Select(p => (JsonNode)p.Key).ToArray();
        if (required.Length > 0)
        {
            schema["required"] = new JsonArray(required);
        }

        return schema;
    }

    private JsonObject Property(OptionProperty option)
    {
        var schema = Value(option.Type, option);
        if (docs.Of(option.Property) is { } description)
        {
            schema["description"] = description;
        }

        if (Default(option.Type, option.Default) is { } value)
        {
            schema["default"] = value;
        }

        return schema;
    }

    private JsonObject Value(OptionType type, OptionProperty option)
    {
        var alternatives = new JsonArray { Bare(type, option) };
        if (type is BooleanOption or IntegerOption or NumberOption or EnumOption)
        {
            alternatives.Add(AnyProperty);
        }

        if (type.AllowsNull)
        {
            alternatives.Add(new JsonObject { ["type"] = "null" });
        }

        return alternatives.Count == 1 ? (JsonObject)Detached(alternatives[0]!) : new JsonObject { ["anyOf"] = alternatives };
    }

    private static JsonNode Detached(JsonNode node)
    {
        ((JsonArray)node.Parent!).Remove(node);
        return node;
    }

    private JsonObject Bare(OptionType type, OptionProperty option)
    {
        switch (type)
        {
            case BooleanOption:
                return new() { ["type"] = "boolean" };
            case IntegerOption integer:
                var whole = new JsonObject { ["type"] = "integer" };
                Limit(whole, "minimum", (double)integer.Minimum, long.MinValue);
                Limit(whole, "maximum", (double)integer.Maximum, long.MaxValue);
                return Checked(whole, option);
            case NumberOption:
                return Checked(new() { ["type"] = "number" }, option);
            case EnumOption words:
                return new() { ["enum"] = new JsonArray([.. words.Values.Select(v => (JsonNode)v.Key)]) };
            case ListOption list:
                var items = new JsonObject { ["type"] = "array", ["items"] = Value(list.Item, option) };
                return Lengths(items, option, "minItems", "maxItems");
            case MapOption map:
                var free = new JsonObject { ["type"] = "object", ["additionalProperties"] = Value(map.Value, option) };
                return Lengths(free, option, "minProperties", "maxProperties");
            case RecordOption record:
                return Nested(record.ClrType);
            case ComponentOption component:
                return Component(component.ClrType);
            case ReferenceOption:
                return new() { ["type"] = "string", ["minLength"] = 1 };
            default:
                // Text may be written without quotes even where it looks like a number.
                return Lengths(Checked(new() { ["type"] = new JsonArray("string", "number", "boolean") }, option), option, "minLength", "maxLength");
        }
    }

    private JsonObject Nested(Type type)
    {
        var name = type.FullName!.Replace('+', '.');
        if (!definitions.ContainsKey(name))
        {
            definitions[name] = true; // before its own options are described: a record may hold itself
            definitions[name] = Record(type);
        }

        return Ref(name);
    }

    // A name alone, or a mapping with the name and the options of the class of that name.
    private JsonObject Component(Type kind)
    {
        var definition = kind.FullName!.Replace('+', '.');
        if (!definitions.ContainsKey(definition))
        {
            definitions[definition] = true; // a component may hold another of its kind
            definitions[definition] = components.Of(kind) is not { } members ? false : new JsonObject
            {
                ["anyOf"] = new JsonArray(
                    SchemaParts.Names(members, docs, $"A {ComponentCatalogs.WordFor(kind)} with its default options."), Chosen(kind, members, ComponentOption.Selector)),
            };
        }

        return Ref(definition);
    }

    /// <summary>A mapping with the name of a component and its options.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="members">Its members.</param>
    /// <param name="selector">The key that holds the name.</param>
    /// <param name="more">Further properties that stand beside the options, with their schemas.</param>
    internal JsonObject Chosen(Type kind, Catalog<object> members, string selector, params KeyValuePair<string, JsonNode>[] more)
    {
        var cases = new JsonArray();
        foreach (var member in members)
        {
            cases.Add(SchemaParts.Case(selector, member.Name, Record(member.Type, [selector, .. more.Select(m => m.Key)])));
        }

        var properties = new JsonObject { [selector] = SchemaParts.Names(members, docs, $"The {ComponentCatalogs.WordFor(kind)}.") };
        foreach (var (key, schema) in more)
        {
            properties[key] = schema;
        }

        return SchemaParts.WithCases(
            new() { ["type"] = "object", ["properties"] = properties, ["required"] = new JsonArray(selector) }, cases);
    }

    // Numbers stay numbers: an editor compares by type.
    private static JsonNode? ToNode(object? value) =>
        value is string or null ? JsonValue.Create((string?)value) : JsonNode.Parse(Convert.ToString(value, CultureInfo.InvariantCulture)!);

    private static JsonObject Checked(JsonObject schema, OptionProperty option)
    {
        foreach (var check in option.Checks)
        {
            switch (check)
            {
                case RangeAttribute range when range.OperandType != typeof(string):
                    Limit(schema, range.MinimumIsExclusive ? "exclusiveMinimum" : "minimum", Number(range.Minimum), double.NegativeInfinity);
                    Limit(schema, range.MaximumIsExclusive ? "exclusiveMaximum" : "maximum", Number(range.Maximum), double.PositiveInfinity);
                    break;
                case RegularExpressionAttribute pattern:
                    schema["pattern"] = $"^(?:{pattern.Pattern})$";
                    break;
                case AllowedValuesAttribute allowed:
                    schema["enum"] = new JsonArray([.. allowed.Values.Select(ToNode)]);
                    break;
                default:
                    break;
            }
        }

        return schema;
    }

    private static JsonObject Lengths(JsonObject schema, OptionProperty option, string minimum, string maximum)
    {
        var isItself = schema["type"] is JsonArray == option.Type is TextOption; // a list's lengths are not those of its elements
        foreach (var check in isItself ? option.Checks : [])
        {
            (int? Least, int? Most) bounds = check switch
            {
                MinLengthAttribute least => (least.Length, null),
                MaxLengthAttribute most => (null, most.Length),
                LengthAttribute both => (both.MinimumLength, both.MaximumLength),
                StringLengthAttribute text => (text.MinimumLength, text.MaximumLength),
                _ => (null, null),
            };
            if (bounds.Least is { } low)
            {
                schema[minimum] = low;
            }

            if (bounds.Most is { } high)
            {
                schema[maximum] = high;
            }
        }

        return schema;
    }

    private static void Limit(JsonObject schema, string keyword, double value, double none)
    {
        if (value != none && double.IsFinite(value))
        {
            schema[keyword] = value;
        }
    }

    private static double Number(object bound) => Convert.ToDouble(bound, CultureInfo.InvariantCulture);

    private static JsonNode? Default(OptionType type, object? value) => (type, value) switch
    {
        (_, null) => null,
        (BooleanOption, bool truth) => truth,
        (EnumOption words, _) => words.Values.FirstOrDefault(v => v.Value.Equals(value)).Key,
        (TextOption, string text) => text,
        (NumberOption, _) when double.IsFinite(Number(value)) => JsonNode.Parse(Convert.ToString(value, CultureInfo.InvariantCulture)!),
        (IntegerOption, _) => JsonNode.Parse(Convert.ToString(value, CultureInfo.InvariantCulture)!),
        (ComponentOption, _) => ComponentCatalogs.NameOf(value),
        (ListOption list, _) => new JsonArray([.. OptionCollections.Items(value).Select(i => Default(list.Item, i))]),
        _ => null,
    };
}
