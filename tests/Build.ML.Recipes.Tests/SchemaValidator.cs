using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Build.ML.Recipes.Tests;

/// <summary>
/// JSON Schema draft 2020-12 for the keywords that recipe schemas use (no library of the kind restores); an unknown keyword is an error, so that the schema
/// cannot grow past what is tested.
/// </summary>
sealed class SchemaValidator(JsonObject root)
{
    /// <summary>What is wrong, as JSON pointers with the failed keyword; empty when valid.</summary>
    internal IReadOnlyList<string> Validate(JsonNode? value)
    {
        var errors = new List<string>();
        Validate(root, value, "", errors);
        return errors;
    }

    void Validate(JsonNode schema, JsonNode? value, string path, List<string> errors)
    {
        if (schema is JsonValue truth)
        {
            Check(truth.GetValue<bool>(), "false", path, errors);
            return;
        }

        foreach (var (keyword, argument) in (JsonObject)schema)
            Keyword((JsonObject)schema, keyword, argument!, value, path, errors);
    }

    void Keyword(JsonObject schema, string keyword, JsonNode argument, JsonNode? value, string path, List<string> errors)
    {
        switch (keyword)
        {
            case "$schema" or "$defs" or "title" or "description" or "default" or "then":
                break;
            case "$ref":
                var name = argument.GetValue<string>();
                Assert.StartsWith("#/$defs/", name, StringComparison.Ordinal);
                Validate(root["$defs"]![name[8..]] ?? throw new KeyNotFoundException(name), value, path, errors);
                break;
            case "type":
                Check((argument is JsonArray kinds ? kinds : [argument.DeepClone()]).Any(k => IsKind(value, k!.GetValue<string>())), keyword, path, errors);
                break;
            case "const":
                Check(JsonNode.DeepEquals(argument, value), keyword, path, errors);
                break;
            case "enum":
                Check(((JsonArray)argument).Any(a => JsonNode.DeepEquals(a, value)), keyword, path, errors);
                break;
            case "anyOf":
                Check(((JsonArray)argument).Any(a => IsValid(a!, value)), keyword, path, errors);
                break;
            case "allOf":
                foreach (var each in (JsonArray)argument)
                    Validate(each!, value, path, errors);
                break;
            case "if":
                if (IsValid(argument, value))
                    Validate(schema["then"]!, value, path, errors);
                break;
            case "required":
                if (value is JsonObject needs)
                    foreach (var key in (JsonArray)argument)
                        Check(needs.ContainsKey(key!.GetValue<string>()), $"{keyword} {key}", path, errors);
                break;
            case "properties":
                foreach (var (key, item) in value as JsonObject ?? [])
                    if (argument[key] is { } property)
                        Validate(property, item, $"{path}/{key}", errors);
                break;
            case "additionalProperties":
                foreach (var (key, item) in value as JsonObject ?? [])
                    if (schema["properties"]?.AsObject().ContainsKey(key) != true)
                        Validate(argument, item, $"{path}/{key}", errors);
                break;
            case "propertyNames":
                foreach (var (key, _) in value as JsonObject ?? [])
                    Validate(argument, key, $"{path}/{key}", errors);
                break;
            case "items":
                foreach (var (index, item) in (value as JsonArray ?? []).Index())
                    Validate(argument, item, $"{path}/{index}", errors);
                break;
            case "pattern":
                Check(!IsKind(value, "string") || Regex.IsMatch(value!.GetValue<string>(), argument.GetValue<string>()), keyword, path, errors);
                break;
            case "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum":
                Check(!IsKind(value, "number") || InBounds(keyword, Number(value!), Number(argument)), keyword, path, errors);
                break;
            case "minItems":
                Check(value is not JsonArray list || list.Count >= argument.GetValue<int>(), keyword, path, errors);
                break;
            case "minLength":
                Check(!IsKind(value, "string") || value!.GetValue<string>().Length >= argument.GetValue<int>(), keyword, path, errors);
                break;
            default:
                throw new NotSupportedException($"Keyword {keyword} at {path}: add it to the validator.");
        }
    }

    bool IsValid(JsonNode schema, JsonNode? value)
    {
        var errors = new List<string>();
        Validate(schema, value, "", errors);
        return errors.Count == 0;
    }

    static bool InBounds(string keyword, double value, double bound) => keyword switch
    {
        "minimum" => value >= bound,
        "maximum" => value <= bound,
        "exclusiveMinimum" => value > bound,
        _ => value < bound,
    };

    static bool IsKind(JsonNode? value, string kind) => kind switch
    {
        "null" => value is null,
        "object" => value is JsonObject,
        "array" => value is JsonArray,
        "string" => value?.GetValueKind() == JsonValueKind.String,
        "boolean" => value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
        "number" => value?.GetValueKind() == JsonValueKind.Number,
        "integer" => value?.GetValueKind() == JsonValueKind.Number && double.IsInteger(Number(value)),
        _ => throw new NotSupportedException(kind),
    };

    static void Check(bool holds, string keyword, string path, List<string> errors)
    {
        if (!holds)
            errors.Add($"{path}: {keyword}");
    }

    // A node made of an int refuses to be read as a double.
    static double Number(JsonNode node) => double.Parse(node.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture);
}
