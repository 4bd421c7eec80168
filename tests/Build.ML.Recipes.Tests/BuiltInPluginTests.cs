using System.Text.Json.Nodes;
using Build.ML.Plugins;
using Build.ML.Recipes.Schema;

namespace Build.ML.Recipes.Tests;

/// <summary>What the built-in plugins bring can be named, described and checked in recipes.</summary>
public sealed class BuiltInPluginTests
{
    static readonly PluginSet Plugins = PluginSet.Load(Directory.GetDirectories(Repository.PathOf("plugins"))
        .Select(d => Path.Combine(d, "bin", Repository.Configuration, "net10.0", Path.GetFileName(d) + ".dll")).Where(File.Exists));

    static readonly JsonNode Definitions = RecipeSchema.Build(Plugins.Catalogs)["$defs"]!;

    public static TheoryData<string> Names()
    {
        var rows = new TheoryData<string>();
        foreach (var name in Plugins.Catalogs.Techniques.Names.Concat(Plugins.Catalogs.Readers.Names).Concat(Plugins.Catalogs.Metrics.Names))
            rows.Add(name);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_option_has_a_documented_meaning_in_the_schema(string name)
    {
        foreach (var (option, schema) in OptionsOf(name).AsObject().Where(o => o.Value is JsonObject))
            Assert.False(string.IsNullOrEmpty((string?)schema!["description"]), $"Option '{option}' of {name} has no XML documentation.");
    }

    [Fact]
    public void Every_technique_reader_and_metric_is_described()
    {
        Assert.All(Definitions["step"]!["properties"]!["use"]!["anyOf"]!.AsArray(), n => Assert.NotNull(n!["description"]));
        Assert.All(Definitions["data"]!["properties"]!["reader"]!["anyOf"]!.AsArray(), n => Assert.NotNull(n!["description"]));
        Assert.All(Definitions["metric"]!["anyOf"]![0]!["anyOf"]!.AsArray(), n => Assert.NotNull(n!["description"]));
    }

    [Fact]
    public void Every_example_recipe_suits_the_build_and_the_schema()
    {
        var folders = Directory.GetDirectories(Repository.PathOf("examples")).Where(f => Directory.GetFiles(f, "*.csproj").Length > 0);
        var byFolder = folders.Select(f => Directory.GetFiles(f, "*" + RecipeFile.Extension, SearchOption.AllDirectories)).ToArray();
        var recipes = byFolder.SelectMany(f => f).ToArray();

        Assert.All(byFolder, Assert.NotEmpty);
        Assert.All(recipes, r => Assert.NotEmpty(RecipeFile.Parse(r, null, Plugins.Catalogs).Steps));
        var schema = new SchemaValidator(RecipeSchema.Build(Plugins.Catalogs));
        Assert.All(recipes, r => Assert.Empty(schema.Validate(SchemaTests.Json(File.ReadAllText(r)))));
    }

    static JsonNode OptionsOf(string name) =>
        Case(Definitions["step"]!, "use", name)?["properties"]!["with"]!["properties"]
        ?? Case(Definitions["data"]!, "reader", name)?["properties"]
        ?? Case(Definitions["metric"]!["anyOf"]![1]!, "use", name)?["properties"]
        ?? throw new KeyNotFoundException(name);

    static JsonNode? Case(JsonNode schema, string key, string name) =>
        schema["allOf"]!.AsArray().SingleOrDefault(c => (string?)c!["if"]!["properties"]![key]!["const"] == name)?["then"];
}
