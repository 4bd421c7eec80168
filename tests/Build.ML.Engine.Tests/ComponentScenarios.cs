using Build.ML.Graph;

namespace Build.ML.Engine.Tests;

/// <summary>Components in options: what they name reaches them, and what decides them reruns their step and no other.</summary>
public sealed class ComponentScenarios : IDisposable
{
    private const string Recipe = """
        recipe: net
        model: model.onnx
        data: { d: { reader: test_lines, file: calibration.txt } }
        steps:
          - { id: doubled, use: test.scale, with: { factor: 2 } }
          - { id: tripled, use: test.scale, with: { factor: 3 }, from: model }
          - id: changed
            use: test.change
            from: model
            with: { by: { use: add, amount: 10 }, then: [add, { use: borrow, from: [doubled, tripled], data: d, file: note.txt }] }
        """;

    private readonly Workspace _workspace = new(Recipe);

    public ComponentScenarios() => _workspace.Write("note.txt", "1234567");

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void Components_get_the_models_data_and_files_they_name()
    {
        Assert.Equal("model doubled tripled changed", _workspace.Names(ItemStatus.Ran));
        using var model = Model.Open(Path.Combine(_workspace.Work, "net", "changed", "model.onnx"));

        // 1 + 10 + 1 + (2 + 3 of the models) + 1 of the data + 7 bytes
        Assert.Equal(25, model.Graph.Initializers[0].Initializer!.ToArray<float>()[0]);
    }

    [Theory]
    [InlineData("amount: 10", "amount: 11")]
    [InlineData("[add, ", "[{ use: add, amount: 2 }, ")]
    [InlineData("[add, ", "[")]
    [InlineData("by: { use: add, amount: 10 }", "by: { use: borrow }")]
    [InlineData("[doubled, tripled]", "[doubled, tripled, model]")]
    public void ComponentChangeMiss(string old, string replacement)
    {
        _workspace.Build();
        _workspace.EditRecipe(old, replacement);
        Assert.Equal("changed", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void ComponentWrittenOutAsItsDefaultHit()
    {
        _workspace.Build();
        _workspace.EditRecipe("[add, ", "[{ use: add, amount: 1.0 }, ");
        Assert.Equal("model doubled tripled changed", _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void ComponentAssemblyChangeMiss()
    {
        _workspace.Build();
        _workspace.ComponentHash = new('c', 64);
        Assert.Equal("changed", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void ComponentFileChangeMiss()
    {
        _workspace.Build();
        _workspace.Write("note.txt", "12345678");
        Assert.Equal("changed", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void ComponentModelChangeMiss()
    {
        _workspace.Build();
        _workspace.EditRecipe("factor: 3", "factor: 4");
        Assert.Equal("tripled changed", _workspace.Names(ItemStatus.Ran));
    }
}
