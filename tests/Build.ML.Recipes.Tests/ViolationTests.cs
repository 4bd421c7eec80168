namespace Build.ML.Recipes.Tests;

public sealed class ViolationTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    // options of a technique, in line 6, column 9
    [InlineData("{ sparsty: 0.3 }", "(6,11)", "BML1006", "Unknown key 'sparsty' in options of prune.channels. Did you mean 'sparsity'?")]
    [InlineData("{ sparsity: 1.5 }", "(6,21)", "BML1010", "'sparsity' is 1.5; expected 0 to 1.")]
    [InlineData("{ sparsity: half }", "(6,21)", "BML1009", "'sparsity' is 'half'; expected a finite number.")]
    [InlineData("{ sparsity: '0.5' }", "(6,21)", "BML1009", "'sparsity' is '0.5'; expected a finite number.")]
    [InlineData("{ sparsity: .nan }", "(6,21)", "BML1009", "finite")]
    [InlineData("{ sparsity: .inf }", "(6,21)", "BML1009", "finite")]
    [InlineData("{ sparsity: 1e999 }", "(6,21)", "BML1009", "finite")]
    [InlineData("{ sparsity: }", "(6,", "BML1009", "'sparsity' is no value; expected a finite number.")]
    [InlineData("{ sparsity: [0.5] }", "(6,21)", "BML1008", "'sparsity' is a list; expected a finite number.")]
    [InlineData("{ clip: 1e39 }", "(6,17)", "BML1009", "finite")]
    [InlineData("{ exact: yes }", "(6,18)", "BML1009", "'exact' is 'yes'; expected true or false.")]
    [InlineData("{ rounds: 1.5 }", "(6,19)", "BML1009", "'rounds' is '1.5'; expected a whole number from -9223372036854775808 to 9223372036854775807.")]
    [InlineData("{ rounds: 9223372036854775808 }", "(6,19)", "BML1009", "whole number")]
    [InlineData("{ importance: Magnitude }", "(6,23)", "BML1009", "expected one of magnitude, taylor_first_order. Did you mean 'magnitude'?")]
    [InlineData("{ importance: taylor_first_order }", "(6,23)", "BML1011", "importance taylor_first_order needs 'data'.")]
    [InlineData("{ rate: 7 }", "(6,9)", "BML1011", "rate cannot be 7")]
    [InlineData("{ data: e }", "(6,17)", "BML1014", "Data set 'e' is not under 'data:'. Did you mean 'd'?")]
    [InlineData("{ include: [] }", "(6,20)", "BML1010", "'include' is a list of 0; expected a length of at least 1.")]
    [InlineData("{ include: all }", "(6,20)", "BML1008", "expected a list, each element text")]
    [InlineData("{ groups: [4, 65] }", "(6,23)", "BML1010", "'groups[1]' is 65; expected 1 to 64.")]
    [InlineData("{ width: 3 }", "(6,18)", "BML1010", "'width' is 3; expected one of 1, 2, 4.")]
    [InlineData("{ groups: [4, x] }", "(6,23)", "BML1009", "'groups[1]' is 'x'")]
    [InlineData("{ per_layer: { a: x } }", "(6,27)", "BML1009", "'per_layer.a' is 'x'")]
    [InlineData("{ schedule: { factor: 2 } }", "(6,21)", "BML1007", "Option 'steps' is missing in 'schedule'; add it.")]
    [InlineData("{ schedule: { steps: 0 } }", "(6,30)", "BML1010", "'steps' is 0; expected 1 to 100.")]
    [InlineData("{ schedule: { steps: 1, stepz: 2 } }", "(6,33)", "BML1006", "Did you mean 'steps'?")]
    [InlineData("{ schedule: 3 }", "(6,21)", "BML1008", "'schedule' is '3'; expected a mapping")]
    [InlineData("3", "(6,9)", "BML1008", "'with' is '3'; expected a mapping")]
    public void A_wrong_option_is_reported_where_it_stands(string with, string place, string code, string message)
    {
        var error = Assert.Single(_folder.Errors(RecipeFolder.Pruning(with)));

        Assert.StartsWith(RecipeFolder.Name + place, error, StringComparison.Ordinal);
        Assert.Contains(code + " ", error, StringComparison.Ordinal);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("recipe: ocr-edge", "recipe: a/b", "(1,9) BML1016")]
    [InlineData("recipe: ocr-edge", "recipe: nul", "(1,9) BML1016")]
    [InlineData("recipe: ocr-edge", "recipes: x", "(1,1) BML1006 Unknown key 'recipes' in the recipe. Did you mean 'recipe'?")]
    [InlineData("recipe: ocr-edge", "recipe: [x]", "(1,9) BML1008 'recipe' is a list; expected text.")]
    [InlineData("model: models/rec.onnx", "model: models/rac.onnx", "(2,8) BML1021 File 'models/rac.onnx' does not exist")]
    [InlineData("model: models/rec.onnx", "model: models\\rac.onnx", "(2,8) BML1021 File 'models\\rac.onnx' does not exist")]
    [InlineData("model: models/rec.onnx", "model: models", "(2,8) BML1021 'model' is the folder")]
    [InlineData("model: models/rec.onnx", "model:", "(2,1) BML1007 Key 'model' is missing")]
    [InlineData("model: models/rec.onnx", "", "(1,1) BML1007 Key 'model' is missing")]
    [InlineData("model: models/rec.onnx", "model: https://host/rec.onnx", "(2,8) BML1022")]
    [InlineData("model: models/rec.onnx", "model: npm:pkg@^1.2.3/rec.onnx", "(2,8) BML1022")]
    [InlineData("model: models/rec.onnx", "model: !file models/rec.onnx", "(2,8) BML1004 Tag '!file' is not supported")]
    [InlineData("seed: 7", "seed: 7.5", "(3,7) BML1009")]
    [InlineData("seed: 7", "seed: 7\nseed: 8", "(4,1) BML1005 Key 'seed' is here a second time, first in line 3; keep one.")]
    [InlineData("limit: 200", "limit: 0", "(5,88) BML1009 'limit' is '0'; expected a whole number from 1 to 2147483647.")]
    [InlineData("limit: 200", "shuffle: -1", "(5,90) BML1009 'shuffle' is '-1'")]
    [InlineData("limit: 200", "split: train", "(5,88) BML1008 'split' is 'train'; expected a mapping")]
    [InlineData("limit: 200", "split: { validation: 0.2 }", "(5,88) BML1007 Option 'part' is missing in 'split' of data set 'calibration'; add it.")]
    [InlineData("limit: 200", "split: { part: trian }", "(5,96) BML1009")]
    [InlineData("limit: 200", "split: { part: train, validation: 0.6, test: 0.5 }", "(5,115) BML1011 Contradiction in 'split'")]
    [InlineData("reader: idx, images: data/images.idx }", "reader: idy, images: data/images.idx }", "(6,19) BML1012 No reader is named 'idy'. Did you mean 'idx'?")]
    [InlineData("reader: idx, images: data/images.idx }", "images: data/images.idx }", "(6,9) BML1007 Key 'reader' is missing")]
    [InlineData("reader: idx, images: data/images.idx }", "reader: idx }", "(6,9) BML1007 Option 'images' is missing in data set 'test' of reader idx; add it.")]
    [InlineData("id: slim", "id: Recover", "(11,9) BML1017")]
    [InlineData("id: slim", "id: model", "(8,9) BML1016")]
    [InlineData("id: slim", "id: a.b", "(8,9) BML1016")]
    [InlineData("id: slim", "id: -b", "(8,9) BML1016")]
    [InlineData("use: prune.channels", "use: prune.channel", "(9,10) BML1012 No technique is named 'prune.channel'. Did you mean 'prune.channels'?")]
    [InlineData("use: quantize.dynamic", "uses: quantize.dynamic", "(16,5) BML1006 Unknown key 'uses' in step 'int8'. Did you mean 'use'?")]
    [InlineData("from: slim", "from: slin", "(17,11) BML1013 'slin' is neither 'model' nor the id of a step. Did you mean 'slim'?")]
    [InlineData("teacher: model", "teacher: models", "(13,22) BML1013 'models' is neither 'model' nor the id of a step. Did you mean 'model'?")]
    [InlineData("teacher: model", "teacher: recover", "(11,9) BML1015 Steps need each other in a circle: recover → recover")]
    [InlineData("teacher: model, data: calibration", "data: calibration", "(13,11) BML1007 Option 'teacher' is missing in options of distill.logits; add it.")]
    [InlineData("teacher: model,", "teacher: model, by: acuracy,", "(13,33) BML1032 'acuracy' is no metric of 'evaluate:'; a step searches by one that is. Did you mean 'accuracy'?")]
    [InlineData("with: { teacher: model, data: calibration }", "from: slim", "(12,10) BML1007")]
    [InlineData("data: test, metrics", "data: tst, metrics", "(18,19) BML1014")]
    [InlineData("use: accuracy", "use: acuracy", "(18,42) BML1012 No metric is named 'acuracy'. Did you mean 'accuracy'?")]
    [InlineData("top: 5", "top: 0", "(18,57) BML1010 'top' is 0; expected 1 to 2147483647.")]
    [InlineData("size, latency", "size, latency, size", "BML1017 Metric 'size' is here a second time")]
    [InlineData("- size <=", "- sise <=", "(21,5) BML1031")]
    [InlineData("0.3 * model.size", "0.3 * modle.size", "(21,19) BML1013")]
    [InlineData("0.3 * model.size", "0.3 * (model.size", "(21,30) BML1030")]
    [InlineData("0.3 * model.size", "", "(21,12) BML1030")]
    [InlineData("rec.int8.onnx: int8", "rec.int8.onnx: int9", "(23,27) BML1013 Output 'int9' is neither a step nor a file that exists. Did you mean 'int8'?")]
    [InlineData("rec.int8.onnx: int8", "../rec.onnx: int8", "(23,12) BML1018")]
    [InlineData("rec.int8.onnx: int8", "/rec.onnx: int8", "(23,12) BML1018")]
    [InlineData("rec.int8.onnx: int8", "'a\\b': int8", "(23,12) BML1018")]
    [InlineData("rec.int8.onnx: int8", "DICT.txt: int8", "BML1017")]
    [InlineData("rec.int8.onnx: int8", "dict.txt/a: int8", "BML1017")]
    [InlineData("rec.int8.onnx: int8", "con.onnx: int8", "(23,12) BML1018")]
    [InlineData("rec.int8.onnx: int8", "${Nme}: int8", "BML10")]
    public void A_wrong_recipe_is_reported_where_it_is_wrong(string original, string changed, string expected)
    {
        Assert.Contains(original, RecipeFolder.Example, StringComparison.Ordinal);
        var errors = _folder.Errors(RecipeFolder.Example.Replace(original, changed, StringComparison.Ordinal));

        Assert.Contains(errors, e => e.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void All_violations_come_at_once_in_the_order_of_the_file()
    {
        var text = RecipeFolder.Example
            .Replace("sparsity: 0.3", "sparsity: 2, sprsity: 1", StringComparison.Ordinal)
            .Replace("seed: 9", "seeed: 9", StringComparison.Ordinal)
            .Replace("from: slim", "from: none", StringComparison.Ordinal)
            .Replace("dict.txt: dict.txt", "dict.txt: gone.txt", StringComparison.Ordinal)
            .Replace("recipe: ocr-edge", "recipe: ocr edge", StringComparison.Ordinal);

        Assert.Equal(
            ["BML1016", "BML1010", "BML1006", "BML1006", "BML1013", "BML1013"],
            _folder.Errors(text).Select(e => e.Split(' ')[1]));
    }

    [Theory]
    [InlineData("a: [1", "BML1001")]
    [InlineData("a: b: c", "BML1001")]
    [InlineData("", "BML1008")]
    [InlineData("- a", "BML1008")]
    [InlineData("model: a\n---\nmodel: b", "BML1004")]
    [InlineData("? [a]\n: 1", "BML1004")]
    [InlineData("model: *none", "BML1004")]
    public void Text_that_is_no_recipe_is_an_error(string text, string code) =>
        Assert.Contains(_folder.Errors(text), e => e.Contains(code, StringComparison.Ordinal));

    [Fact]
    public void A_circle_of_steps_is_named()
    {
        var errors = _folder.Errors("""
            model: models/rec.onnx
            steps:
              - { id: a, use: quantize.dynamic, from: c }
              - { id: b, use: quantize.dynamic }
              - { id: c, use: quantize.dynamic }
            """);

        Assert.Contains("a → c → b → a", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_gate_on_a_step_that_is_not_evaluated_is_an_error()
    {
        var text = RecipeFolder.Example.Replace("latency] }", "latency], steps: [int8] }", StringComparison.Ordinal);

        Assert.Contains("BML1031 Gate needs 'slim.latency_p50', but step 'slim' is not among", Assert.Single(_folder.Errors(text)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_recipe_file_is_an_error_that_names_it()
    {
        var error = Assert.Throws<Graph.Diagnostics.DiagnosticException>(
            () => RecipeFile.Parse(_folder.PathOf("none.buildml.yaml"), null, SampleCatalog.All));

        Assert.Equal("BML1002", Assert.Single(error.Diagnostics).Code);
        Assert.Contains("none.buildml.yaml", error.Message, StringComparison.Ordinal);
    }
}
