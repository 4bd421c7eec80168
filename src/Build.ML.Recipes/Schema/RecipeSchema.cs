using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Architectures;
using static Build.ML.Recipes.Schema.SchemaParts;

namespace Build.ML.Recipes.Schema;

/// <summary>
/// The JSON Schema (draft 2020-12, json-schema.org) of recipes, from the same option records that recipes are bound to, so that an editor completes and checks
/// what the build accepts. What needs the whole recipe (names that must exist, circles) is left to the build.
/// </summary>
public static class RecipeSchema
{
    private const string NamePattern = "^[A-Za-z0-9_][A-Za-z0-9_-]*$";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema as text: two blanks of indent, the same for the same catalogs.</summary>
    public static string Generate(CatalogSet catalogs) => Build(catalogs).ToJsonString(Indented).ReplaceLineEndings("\n") + "\n";

    /// <summary>The schema.</summary>
    public static JsonObject Build(CatalogSet catalogs)
    {
        ArgumentNullException.ThrowIfNull(catalogs);
        var definitions = new JsonObject
        {
            ["property"] = new JsonObject
            {
                ["type"] = "string",
                ["pattern"] = @"^\$\{[^}]+\}$",
                ["description"] = "An MSBuild property.",
            },
        };
        var docs = new XmlDocs();
        var options = new OptionSchemas(catalogs.Components, docs, definitions);
        definitions["step"] = Step(catalogs, docs, options);
        definitions["data"] = Data(catalogs, docs, options);
        definitions["metric"] = Metric(catalogs, docs, options);
        return new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "Build.ML recipe",
            ["description"] = "A model and the steps that compress it.",
            ["type"] = "object",
            ["properties"] = Keys(Model(catalogs, options)),
            ["additionalProperties"] = false,
            ["required"] = new JsonArray("model"),
            ["anyOf"] = new JsonArray(Requires("steps"), Requires("include")),
            ["$defs"] = definitions,
        };
    }

    private static JsonObject Keys(JsonObject model) => new()
    {
        ["recipe"] = Text("The recipe's name: letters, digits, _ and -. Default: the file's name.", NamePattern),
        ["model"] = model,
        ["seed"] = Seed("Seed of all steps that set none. Default 0."),
        ["include"] = new JsonObject
        {
            ["description"] = "Files, relative to this one, whose 'data' and 'steps' come before this file's own.",
            ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "string" }, List(new JsonObject { ["type"] = "string" })),
        },
        ["data"] = new JsonObject
        {
            ["description"] = "Data sets by name.",
            ["type"] = "object",
            ["propertyNames"] = new JsonObject { ["pattern"] = NamePattern },
            ["additionalProperties"] = OptionSchemas.Ref("data"),
        },
        ["steps"] = Described(List(OptionSchemas.Ref("step")), "What is done to the model, in order unless 'from' says otherwise."),
        ["evaluate"] = new JsonObject
        {
            ["description"] = "What is measured of the source model and of the steps.",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["data"] = Text("Name of a data set."),
                ["metrics"] = List(OptionSchemas.Ref("metric")),
                ["steps"] = Described(List(new JsonObject { ["type"] = "string" }), "Ids of the steps to measure. Default: all."),
            },
            ["additionalProperties"] = false,
            ["required"] = new JsonArray("metrics"),
        },
        ["gates"] = Described(
            List(new JsonObject { ["type"] = "string" }),
            "Conditions that fail the build, such as: accuracy >= model.accuracy - 0.01. A bare metric is the last step's; step.metric and model.metric name others."),
        ["outputs"] = new JsonObject
        {
            ["description"] = "Files to ship: a file name, and the step whose model (or the file that) is put there; a name that ends in .onnxz gets the model packed.",
            ["type"] = "object",
            ["additionalProperties"] = new JsonObject { ["type"] = "string" },
        },
    };

    private static JsonObject Model(CatalogSet catalogs, OptionSchemas options)
    {
        const string Description = "The model to start from: a path relative to this file, npm:package@1.2.3/path#sha256-hex, or an architecture to build with initial weights.";
        var file = Text(Description);
        if (catalogs.Components.Of(typeof(Architecture)) is not { } architectures)
        {
            return file;
        }

        var built = options.Chosen(typeof(Architecture), architectures, RecipeReader.ArchitectureKey,
            new KeyValuePair<string, JsonNode>(RecipeReader.SeedKey, Seed("Seed of the initial weights. Default: the recipe's.")));
        return new() { ["description"] = Description, ["anyOf"] = new JsonArray(file, built) };
    }

    private static JsonObject Step(CatalogSet catalogs, XmlDocs docs, OptionSchemas options)
    {
        var cases = new JsonArray();
        foreach (var technique in catalogs.Techniques)
        {
            var with = options.Record(technique.Create().OptionsType);
            var then = new JsonObject { ["properties"] = new JsonObject { ["with"] = with } };
            if (with.ContainsKey("required"))
            {
                then["required"] = new JsonArray("with");
            }

            cases.Add(Case("use", technique.Name, then));
        }

        var step = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["id"] = Text("The step's name: letters, digits, _ and -; unique without regard to case.", NamePattern),
                ["use"] = Names(catalogs.Techniques, docs, "The technique."),
                ["from"] = Text("The step whose model is transformed, or model. Default: the step before."),
                ["seed"] = Seed("Seed of the step's randomness. Default: the recipe's."),
                ["with"] = new JsonObject { ["description"] = "The technique's options.", ["type"] = "object" },
            },
            ["additionalProperties"] = false,
            ["required"] = new JsonArray("id", "use"),
        };
        return WithCases(step, cases);
    }

    private static JsonObject Data(CatalogSet catalogs, XmlDocs docs, OptionSchemas options)
    {
        var cases = new JsonArray();
        foreach (var reader in catalogs.Readers)
        {
            cases.Add(Case("reader", reader.Name, options.Record(reader.Create().OptionsType, DataSource.CommonKeys)));
        }

        var data = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["reader"] = Names(catalogs.Readers, docs, "What reads the files."),
                ["limit"] = Count(1, "Samples taken at most. Default: all."),
                ["skip"] = Count(0, "Samples left out at the start. Default 0."),
                ["shuffle"] = Count(0, "Seed of a random order, taken before skip and limit. Default: the order of the files."),
                ["split"] = Described(options.Record(typeof(DataSplit)), "Takes one of three parts that share no sample. Default: all samples."),
            },
            ["required"] = new JsonArray("reader"),
        };
        return WithCases(data, cases);
    }

    private static JsonObject Metric(CatalogSet catalogs, XmlDocs docs, OptionSchemas options)
    {
        var cases = new JsonArray();
        foreach (var metric in catalogs.Metrics)
        {
            cases.Add(Case("use", metric.Name, options.Record(metric.Create().OptionsType, "use")));
        }

        var mapping = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject { ["use"] = Names(catalogs.Metrics, docs, "The metric.") },
            ["required"] = new JsonArray("use"),
        };
        return new JsonObject { ["anyOf"] = new JsonArray(Names(catalogs.Metrics, docs, "A metric with its default options."), WithCases(mapping, cases)) };
    }

    private static JsonObject Text(string description, string? pattern = null)
    {
        // Names may look like numbers: 4 and 8bit are both fine ids.
        var schema = new JsonObject { ["description"] = description, ["type"] = new JsonArray("string", "integer") };
        if (pattern is not null)
        {
            schema["pattern"] = pattern;
        }

        return schema;
    }

    private static JsonObject Seed(string description) => new()
    {
        ["description"] = description,
        ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "integer" }, OptionSchemas.AnyProperty),
    };

    private static JsonObject Count(int minimum, string description) => new()
    {
        ["description"] = description,
        ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "integer", ["minimum"] = minimum }, OptionSchemas.AnyProperty),
    };

    private static JsonObject List(JsonObject items) => new() { ["type"] = "array", ["items"] = items };

    private static JsonObject Requires(string key) => new() { ["required"] = new JsonArray(key) };
}
