using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Tests;

/// <summary>Source models that are built instead of read.</summary>
public sealed class ArchitectureScenarios : IDisposable
{
    private const string Recipe = """
        recipe: net
        seed: 5
        model: { architecture: test-linear, start: 100 }
        data: { test: { reader: test_lines, file: test.txt } }
        steps:
          - { id: doubled, use: test.scale, with: { factor: 2 } }
          - { id: taught, use: test.calibrate, with: { data: test, teacher: model } }
        evaluate: { data: test, metrics: [test_accuracy, test_size] }
        outputs: { net.small.onnx: doubled, start.onnx: model }
        """;

    private readonly Workspace _workspace = new(Recipe);

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void The_model_is_built_from_options_and_the_recipes_seed()
    {
        _workspace.Build();

        Assert.Equal(105, FirstWeight("start.onnx"));
        Assert.Equal(210, FirstWeight("net.small.onnx"));
    }

    [Fact]
    public void A_seed_of_its_own_goes_before_the_recipes()
    {
        _workspace.EditRecipe("start: 100", "start: 100, seed: 7");
        _workspace.Build();

        Assert.Equal(107, FirstWeight("start.onnx"));
    }

    [Theory]
    [InlineData("start: 100", "start: 101")]
    [InlineData("start: 100", "start: 100, seed: 7")]
    [InlineData("start: 100", "start: 100, note: test.txt")]
    public void ArchitectureOptionChangeMiss(string old, string replacement)
    {
        _workspace.Build();
        _workspace.EditRecipe(old, replacement);

        Assert.StartsWith("model doubled taught", _workspace.Names(ItemStatus.Ran), StringComparison.Ordinal);
    }

    [Fact]
    public void ArchitectureAssemblyChangeOfTheSameModelRunsNothingElse()
    {
        _workspace.Build();
        _workspace.ComponentHash = new('c', 64);

        Assert.Equal("model", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void DefaultsAndTheRecipesSeedWrittenOutHit()
    {
        _workspace.Build();
        _workspace.EditRecipe("start: 100", "seed: 5, start: 100, note: ~");

        Assert.Equal("", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void ABuiltModelIsKeptInTheCache()
    {
        _workspace.Build();
        _workspace.Clean();

        Assert.Contains("model", _workspace.Names(ItemStatus.FromCache), StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_architecture_refuses_is_said_at_the_recipes_model()
    {
        _workspace.EditRecipe("start: 100", "start: 13");
        var outcome = _workspace.Build().Items.Single(i => i.ItemId == "net/model");

        Assert.Equal(ItemStatus.Failed, outcome.Status);
        var error = Assert.Single(outcome.Diagnostics);
        Assert.Equal(("TST0013", 3), (error.Code, error.Location!.Line));
    }

    [Fact]
    public void A_model_file_is_evaluated_beside_an_architecture_that_was_never_built()
    {
        using var engine = _workspace.CreateEngine();
        var figures = engine.Evaluate(
            new(_workspace.RecipePath, Path.Combine(_workspace.Root, "model.onnx")) { Metrics = ["test_shift"], Data = "test" }, new Progress<Abstractions.Techniques.StepProgress>(), _ => { });

        Assert.NotEqual(0, Assert.Single(figures).Value.Value);
    }

    [Theory]
    [InlineData("architecture: test-linear", "architecture: test-linaer", "BML1012")]
    [InlineData("architecture: test-linear, ", "", "BML1007")]
    [InlineData("start: 100", "strat: 100", "BML1006")]
    [InlineData("start: 100", "seed: x", "BML1009")]
    public void A_wrong_architecture_is_an_error_of_the_recipe(string old, string replacement, string code)
    {
        _workspace.EditRecipe(old, replacement);

        Assert.Equal(code, Assert.Single(Assert.Throws<DiagnosticException>(() => _workspace.Build()).Diagnostics).Code);
    }

    private float FirstWeight(string output)
    {
        using var model = Model.Open(Path.Combine(_workspace.Work, "net", "out", output));
        return model.Graph.Initializers[0].Initializer!.ToArray<float>()[0];
    }
}
