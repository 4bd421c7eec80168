using System.Text.Json.Nodes;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Recipes.Schema;

/// <summary>Forms that several parts of the schema have.</summary>
internal static class SchemaParts
{
    /// <summary>A schema with cases, of which those hold whose condition does.</summary>
    internal static JsonObject WithCases(JsonObject schema, JsonArray cases)
    {
        if (cases.Count > 0)
        {
            schema["allOf"] = cases; // an empty allOf is not valid
        }

        return schema;
    }

    /// <summary>What holds where a key has a certain value.</summary>
    internal static JsonObject Case(string key, string name, JsonObject then) => new()
    {
        ["if"] = new JsonObject
        {
            ["properties"] = new JsonObject { [key] = new JsonObject { ["const"] = name } },
            ["required"] = new JsonArray(key),
        },
        ["then"] = then,
    };

    /// <summary>The names of a catalog, each with its description.</summary>
    internal static JsonObject Names<T>(Catalog<T> catalog, XmlDocs docs, string description)
        where T : class
    {
        var names = new JsonArray();
        foreach (var entry in catalog)
        {
            var name = new JsonObject { ["const"] = entry.Name };
            names.Add(docs.Of(entry.Type) is { } text ? Described(name, text) : name);
        }

        return new JsonObject { ["description"] = description, ["anyOf"] = names.Count > 0 ? names : new JsonArray(false) };
    }

    /// <summary>The same schema with a description.</summary>
    internal static JsonObject Described(JsonObject schema, string description)
    {
        schema["description"] = description;
        return schema;
    }
}
