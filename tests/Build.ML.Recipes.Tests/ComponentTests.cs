using Build.ML.Abstractions.References;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Options;
using Build.ML.Recipes.Schema;

namespace Build.ML.Recipes.Tests;

/// <summary>Options that choose one of several classes by name.</summary>
public sealed class ComponentTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_name_alone_chooses_a_component_with_its_defaults() => Assert.Equal(new LabelGoal(), Training("{ goal: labels }").Goal);

    [Fact]
    public void A_mapping_sets_the_components_own_and_inherited_options() =>
        Assert.Equal(new LabelGoal { Smoothing = 0.2, Weight = 3 }, Training("{ goal: { use: labels, smoothing: 0.2, weight: 3 } }").Goal);

    [Fact]
    public void An_option_left_out_keeps_the_records_default() => Assert.Equal(new LabelGoal { Smoothing = 0.1 }, Training("{}").Goal);

    [Fact]
    public void Lists_mix_names_and_mappings_and_components_nest()
    {
        var goals = Training("{ goals: [labels, { use: imitate, teacher: model, then: { use: imitate, teacher: a0, then: labels } }] }").Goals;

        var imitation = Assert.IsType<ImitationGoal>(goals[1]);
        Assert.IsType<LabelGoal>(goals[0]);
        Assert.Equal("model", imitation.Teacher.Name);
        Assert.IsType<LabelGoal>(Assert.IsType<ImitationGoal>(imitation.Then).Then);
    }

    [Fact]
    public void Null_clears_a_component_that_may_be_missing() => Assert.Null(Training("{ extra: ~ }").Extra);

    [Theory]
    [InlineData("{ goal: lables }", "BML1012 No training goal is named 'lables'. Did you mean 'labels'?")]
    [InlineData("{ goal: { use: lables } }", "BML1012 No training goal is named 'lables'. Did you mean 'labels'?")]
    [InlineData("{ nothing: x }", "BML1012 No empty kind is named 'x'. There are none.")]
    [InlineData("{ goal: { smoothing: 1 } }", "BML1007 Key 'use' is missing")]
    [InlineData("{ goal: { use: labels, smothing: 1 } }", "BML1006 Unknown key 'smothing' in options of training goal labels. Did you mean 'smoothing'?")]
    [InlineData("{ goal: { use: labels, weight: 101 } }", "BML1010 'weight' is 101; expected 0 to 100.")]
    [InlineData("{ goal: imitate }", "BML1007 Option 'teacher' is missing in options of training goal imitate; add it.")]
    [InlineData("{ goal: { use: imitate, teacher: modle } }", "BML1013 'modle' is neither 'model' nor the id of a step. Did you mean 'model'?")]
    [InlineData("{ goal: { use: imitate, teacher: model, temperature: 1 } }", "BML1011 Contradiction in options of training goal imitate (temperature)")]
    [InlineData("{ goal: [labels] }", "BML1008 'goal' is a list; expected the name of a training goal, or a mapping with 'use' and its options.")]
    [InlineData("{ goal: ~ }", "BML1008 'goal' is no value; expected the name of a training goal")]
    public void What_does_not_fit_is_said_where_it_is(string with, string expected)
    {
        var error = Assert.Single(_folder.Errors(Recipe(with)));

        Assert.StartsWith("ocr.buildml.yaml(7,", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Canonical_text_names_the_component_and_spells_its_options_out() =>
        Assert.Equal("""
            extra=null
            goal=labels
            goal.smoothing=0.1
            goal.weight=1
            goals[0000]=imitate
            goals[0000].data=<d>
            goals[0000].teacher=<model>
            goals[0000].temperature=4
            goals[0000].then=null
            goals[0000].vocabulary=null
            goals[0000].weight=1
            nothing=null
            teachers[0000]=<model>
            teachers[0001]=<a0>
            """.ReplaceLineEndings("\n"),
            string.Join('\n', OptionWalk.Canonical(Training("{ goals: [{ use: imitate, teacher: model, data: d }], teachers: [model, a0] }"), r => $"<{r.Name}>")
                .Select(e => $"{e.Key}={e.Value}")));

    [Fact]
    public void Models_and_data_that_components_name_are_references_of_the_step()
    {
        var step = _folder.Parse(Recipe("{ goals: [{ use: imitate, teacher: a0, data: d, vocabulary: data/images.idx }], teachers: [model, a0] }")).StepNamed("a");
        var references = OptionWalk.References(step.Options);

        Assert.Equal(["a0", "model"], step.Needs.Order(StringComparer.Ordinal));
        Assert.Contains(new OptionReference("goals[0000].data", ReferenceKind.Data, "d"), references);
        Assert.Equal(["goal", "goals[0000]"], OptionWalk.Components(step.Options).Select(c => c.Key));
        var moved = (SampleTraining.Options)OptionWalk.MapFiles(step.Options, _ => new FileReference("/elsewhere"));
        Assert.Equal("/elsewhere", Assert.IsType<ImitationGoal>(moved.Goals[0]).Vocabulary!.Value.Path);
    }

    [Theory]
    [InlineData("{ teachers: [b] }")]
    [InlineData("{ goal: { use: imitate, teacher: b } }")]
    public void A_model_named_in_a_list_or_component_can_close_a_circle(string with) =>
        Assert.Contains("BML1015", Assert.Single(_folder.Errors(Recipe(with) + "\n- id: b\n  use: quantize.dynamic\n")), StringComparison.Ordinal);

    [Theory]
    [InlineData("{ goal: labels }", null)]
    [InlineData("{ goal: { use: labels, smoothing: 0.2, weight: 3 }, extra: ~ }", null)]
    [InlineData("{ goals: [labels, { use: imitate, teacher: model, then: { use: labels } }] }", null)]
    [InlineData("{ goal: lables }", "/steps/1/with/goal: anyOf")]
    [InlineData("{ goal: { use: labels, smothing: 1 } }", "/steps/1/with/goal: anyOf")]
    [InlineData("{ goal: { use: labels, weight: 101 } }", "/steps/1/with/goal: anyOf")]
    [InlineData("{ goal: { use: imitate } }", "/steps/1/with/goal: anyOf")]
    [InlineData("{ nothing: x }", "/steps/1/with/nothing: anyOf")]
    public void The_schema_accepts_what_binds_and_nothing_else(string with, string? expected)
    {
        var found = new SchemaValidator(RecipeSchema.Build(SampleCatalog.All)).Validate(SchemaTests.Json(Recipe(with)));

        if (expected is null)
            Assert.Empty(found);
        else
            Assert.Contains(expected, found);
    }

    [Fact]
    public void The_schema_describes_components()
    {
        var schema = RecipeSchema.Build(SampleCatalog.All);
        var goal = schema["$defs"]!["Build.ML.Recipes.Tests.TrainingGoal"]!;
        var option = schema["$defs"]!["step"]!["allOf"]!.AsArray().Single(c => (string?)c!["if"]!["properties"]!["use"]!["const"] == "sample.train")!
            ["then"]!["properties"]!["with"]!["properties"]!["goal"]!;

        Assert.Equal("labels", (string?)option["default"]);
        Assert.Contains(goal["anyOf"]![0]!["anyOf"]!.AsArray(), n => (string?)n!["const"] == "labels" && (string?)n["description"] == "Match the labels.");
    }

    [Fact]
    public void A_component_with_an_option_of_the_selectors_name_is_the_authors_mistake() =>
        Assert.Equal("BML3020", Assert.Throws<DiagnosticException>(() => Training("{ goal: clash }")).Diagnostics[0].Code);

    [Fact]
    public void A_model_can_be_an_architecture_with_options_and_a_seed()
    {
        var model = _folder.Parse(Recipe("{}").Replace("model: models/rec.onnx", "model: { architecture: sample-net, width: 0.5, seed: 3 }", StringComparison.Ordinal)).Model;

        Assert.Equal(new ArchitectureUse("sample-net", new SampleNetwork { Width = 0.5 }, 3), model.Architecture);
    }

    [Theory]
    [InlineData("{ architecture: sample-net }", null, null)]
    [InlineData("{ architecture: sample-net, width: 2, seed: 3 }", null, null)]
    [InlineData("{ architecture: sample }", "BML1012", "/model: anyOf")]
    [InlineData("{ architecture: sample-net, depth: 2 }", "BML1006", "/model: anyOf")]
    [InlineData("{ architecture: sample-net, width: 9 }", "BML1010", "/model: anyOf")]
    [InlineData("{ use: sample-net }", "BML1007", "/model: anyOf")]
    [InlineData("[a]", "BML1008", "/model: anyOf")]
    public void Reader_and_schema_agree_on_architectures(string model, string? code, string? place)
    {
        var recipe = Recipe("{}").Replace("models/rec.onnx", model, StringComparison.Ordinal);
        var errors = _folder.Errors(recipe);
        var found = new SchemaValidator(RecipeSchema.Build(SampleCatalog.All)).Validate(SchemaTests.Json(recipe));

        Assert.Equal(code is null, errors.Count == 0 && found.Count == 0);
        if (code is not null)
        {
            Assert.Contains($" {code} ", errors[0], StringComparison.Ordinal);
            Assert.Contains(place, found);
        }
    }

    SampleTraining.Options Training(string with) => (SampleTraining.Options)_folder.Parse(Recipe(with)).StepNamed("a").Options;

    static string Recipe(string with) => $$"""
        model: models/rec.onnx
        data: { d: { reader: idx, images: data/images.idx } }
        steps:
        - { id: a0, use: quantize.dynamic }
        - id: a
          use: sample.train
          with: {{with}}
        """;
}
