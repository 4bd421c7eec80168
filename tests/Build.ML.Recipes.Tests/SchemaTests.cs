using System.Globalization;
using System.Text.Json.Nodes;
using Build.ML.Abstractions;
using Build.ML.Recipes.Schema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Build.ML.Recipes.Tests;

public sealed class SchemaTests
{
    static readonly JsonObject Schema = JsonNode.Parse(RecipeSchema.Generate(SampleCatalog.All))!.AsObject();

    [Fact]
    public void The_example_recipe_is_valid() => Assert.Empty(new SchemaValidator(Schema).Validate(Json(RecipeFolder.Example)));

    [Theory]
    [InlineData("recipe: ocr-edge", "recipes: ocr-edge", "/recipes: false")]
    [InlineData("recipe: ocr-edge", "recipe: a/b", "/recipe: pattern")]
    [InlineData("model: models/rec.onnx", "", ": required model")]
    [InlineData("model: models/rec.onnx", "model: [a]", "/model: anyOf")]
    [InlineData("use: prune.channels", "use: prune.channel", "/steps/0/use: anyOf")]
    [InlineData("use: prune.channels", "usee: prune.channels", "/steps/0/usee: false")]
    [InlineData("sparsity: 0.3", "sparsty: 0.3", "/steps/0/with/sparsty: false")]
    [InlineData("sparsity: 0.3", "sparsity: 1.3", "/steps/0/with/sparsity: anyOf")]
    [InlineData("sparsity: 0.3", "sparsity: '0.3'", "/steps/0/with/sparsity: anyOf")]
    [InlineData("sparsity: 0.3", "include: []", "/steps/0/with/include: minItems")]
    [InlineData("sparsity: 0.3", "groups: [65]", "/steps/0/with/groups/0: anyOf")]
    [InlineData("sparsity: 0.3", "schedule: { factor: 1 }", "/steps/0/with/schedule: anyOf")]
    [InlineData("sparsity: 0.3", "per_layer: { a: b }", "/steps/0/with/per_layer/a: anyOf")]
    [InlineData("sparsity: 0.3", "rounds: 1.5", "/steps/0/with/rounds: anyOf")]
    [InlineData("taylor_first_order", "taylor", "/steps/0/with/importance: anyOf")]
    [InlineData("teacher: model, ", "", "/steps/1/with: required teacher")]
    [InlineData("with: { teacher: model, data: calibration }", "from: slim", "/steps/1: required with")]
    [InlineData("reader: idx, images: data/images.idx }", "reader: idx }", "/data/test: required images")]
    [InlineData("reader: idx, images: data/images.idx }", "reader: csv }", "/data/test/reader: anyOf")]
    [InlineData("limit: 200", "limit: 0", "/data/calibration/limit: anyOf")]
    [InlineData("limit: 200", "split: { part: all }", "/data/calibration/split/part: anyOf")]
    [InlineData("limit: 200", "limt: 200", "/data/calibration/limt: false")]
    [InlineData("top: 5", "top: 0", "/evaluate/metrics/0: anyOf")]
    [InlineData("size, latency", "sise, latency", "/evaluate/metrics/1: anyOf")]
    public void A_wrong_recipe_is_invalid_where_it_is_wrong(string original, string changed, string expected)
    {
        Assert.Contains(original, RecipeFolder.Example, StringComparison.Ordinal);

        Assert.Contains(expected, new SchemaValidator(Schema).Validate(Json(RecipeFolder.Example.Replace(original, changed, StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("sparsity: 0.3", "sparsity: '${Sparsity}'")]
    [InlineData("sparsity: 0.3", "rounds: ~")]
    [InlineData("sparsity: 0.3", "note: 3")]
    [InlineData("sparsity: 0.3", "schedule: { steps: 3, factor: 1e-3 }")]
    [InlineData("sparsity: 0.3", "per_layer: { conv: 1 }")]
    public void What_the_build_accepts_is_valid(string original, string changed) =>
        Assert.Empty(new SchemaValidator(Schema).Validate(Json(RecipeFolder.Example.Replace(original, changed, StringComparison.Ordinal))));

    [Fact]
    public void Descriptions_defaults_and_ranges_come_from_the_option_records()
    {
        var sparsity = Pruning("sparsity");

        Assert.Equal("Fraction of channels removed, 0 to 1. Default 0.5.", (string?)sparsity["description"]);
        Assert.Equal(0.5, (double?)sparsity["default"]);
        Assert.Equal((0.0, 1.0), ((double)sparsity["anyOf"]![0]!["minimum"]!, (double)sparsity["anyOf"]![0]!["maximum"]!));
        Assert.Equal("""["*"]""", Pruning("include")["default"]!.ToJsonString());
        Assert.Equal("magnitude", (string?)Pruning("importance")["default"]);
        Assert.Null(Pruning("clip")["anyOf"]![0]!["maximum"]); // infinity has no number in JSON
    }

    [Fact]
    public void The_same_catalogs_give_the_same_text() => Assert.Equal(RecipeSchema.Generate(SampleCatalog.All), RecipeSchema.Generate(SampleCatalog.All));

    [Fact]
    public void Catalogs_without_entries_give_a_schema_that_refuses_every_step() =>
        Assert.NotEmpty(new SchemaValidator(RecipeSchema.Build(CatalogSet.Scan(typeof(CatalogSet).Assembly))).Validate(Json("model: a\nsteps: [{ id: a, use: b }]")));

    [Fact]
    public void It_says_which_draft_it_follows() => Assert.Equal("https://json-schema.org/draft/2020-12/schema", (string?)Schema["$schema"]);

    static JsonNode Pruning(string option) =>
        Schema["$defs"]!["step"]!["allOf"]!.AsArray().Single(c => (string?)c!["if"]!["properties"]!["use"]!["const"] == "prune.channels")!
            ["then"]!["properties"]!["with"]!["properties"]![option]!;

    /// <summary>YAML as an editor sees it: aliases and merge keys resolved, plain scalars typed by the core schema.</summary>
    internal static JsonNode? Json(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return Json(stream.Documents[0].RootNode);
    }

    static IEnumerable<KeyValuePair<string, YamlNode>> Merged(YamlMappingNode map) => map.Children
        .OrderBy(c => (string?)c.Key == "<<") // a merged key gives way to the mapping's own
        .SelectMany(c => (string?)c.Key == "<<" ? Merged((YamlMappingNode)c.Value) : [KeyValuePair.Create(((YamlScalarNode)c.Key).Value!, c.Value)])
        .DistinctBy(c => c.Key);

    static JsonNode? Json(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(Merged(map).Select(c => KeyValuePair.Create(c.Key, Json(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Json)]),
        YamlScalarNode { Style: ScalarStyle.Plain } plain => plain.Value switch
        {
            "~" or "" or "null" => null,
            "true" => true,
            "false" => false,
            var text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => JsonNode.Parse(number.ToString("R", CultureInfo.InvariantCulture)),
            var text => text,
        },
        YamlScalarNode scalar => scalar.Value,
        _ => throw new NotSupportedException(),
    };
}
