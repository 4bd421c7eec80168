namespace Build.ML.Recipes.Tests;

public sealed class RecipeFileTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_example_reads_completely()
    {
        var recipe = _folder.Parse(RecipeFolder.Example);

        Assert.Equal("ocr-edge", recipe.Name);
        Assert.Equal(_folder.Path, recipe.File);
        Assert.Equal(_folder.PathOf("models/rec.onnx"), recipe.Model.Reference.Path);
        Assert.Equal(["calibration", "test"], recipe.Data.Select(d => d.Name));
        Assert.Equal((200, 5), (recipe.Data[0].Limit, recipe.Data[0].Skip));
        Assert.Equal(_folder.PathOf("data/labels.idx"), Assert.IsType<IdxReader.Options>(recipe.Data[0].Options).Labels!.Value.Path);
        Assert.Null(((IdxReader.Options)recipe.Data[1].Options).Labels);
        Assert.Equal(["model", "slim", "slim"], recipe.Steps.Select(s => s.From));
        Assert.Equal([7, 9, 7], recipe.Steps.Select(s => s.Seed));
        Assert.Equal(["slim", "model"], recipe.Steps[1].Needs.ToArray());
        var pruning = Assert.IsType<ChannelPruning.Options>(recipe.Steps[0].Options);
        Assert.Equal((0.3, Importance.TaylorFirstOrder, "calibration"), (pruning.Sparsity, pruning.Importance, pruning.Data!.Value.Name));
        Assert.Equal(["accuracy", "size", "latency"], recipe.Evaluate!.Metrics.Select(m => m.Metric));
        Assert.Equal(5, ((Accuracy.Options)recipe.Evaluate.Metrics[0].Options).Top);
        Assert.Equal(["slim", "recover", "int8"], recipe.Evaluate.Steps.ToArray());
        Assert.Equal(3, recipe.Gates.Length);
        Assert.Equal(["rec.int8.onnx", "dict.txt"], recipe.Outputs.Select(o => o.FileName));
        Assert.Equal("int8", recipe.Outputs[0].Step);
        Assert.Equal(_folder.PathOf("dict.txt"), recipe.Outputs[1].Copy!.Value.Path);
    }
}
