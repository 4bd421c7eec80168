using Build.ML.Engine.Data;
using Build.ML.Recipes;

namespace Build.ML.Engine.Tests;

public sealed class SampleOrderTests : IDisposable
{
    private readonly Workspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Theory]
    [InlineData(1000, 0.2, 0.1)]
    [InlineData(7, 0.5, 0.5)]
    [InlineData(3, 0, 0)]
    public void Parts_share_no_sample_and_together_have_all(int count, double validation, double test)
    {
        int[] Part(DataPart part) => SampleOrder.Of(count, new() { Part = part, Validation = validation, Test = test, Seed = 4 });
        var (train, chosen, final) = (Part(DataPart.Train), Part(DataPart.Validation), Part(DataPart.Test));
        Assert.Equal(Enumerable.Range(0, count), train.Concat(chosen).Concat(final).Order());
        Assert.Equal((int)Math.Round(test * count, MidpointRounding.AwayFromZero), final.Length);
        Assert.Equal(chosen.Order(), chosen);
    }

    [Fact]
    public void Orders_depend_on_the_seed_and_look_random()
    {
        var order = SampleOrder.Shuffled(10_000, 1);
        Assert.Equal(order, SampleOrder.Shuffled(10_000, 1));
        Assert.NotEqual(order, SampleOrder.Shuffled(10_000, 2));
        Assert.Equal(Enumerable.Range(0, 10_000), order.Order());

        // The mean place of the first half: 5000 ± 5 deviations of √(10000²/12/5000 · ½) = 29.
        Assert.InRange(Enumerable.Range(0, 10_000).Where(i => order[i] < 5000).Average(), 4850, 5150);
    }

    [Fact]
    public void A_split_or_order_is_part_of_what_decides_a_step()
    {
        Assert.True(_workspace.Build().Succeeded);
        _workspace.EditRecipe("file: test.txt, limit: 3", "file: test.txt, limit: 3, shuffle: 5");
        Assert.True(_workspace.Build().Succeeded);
        Assert.NotEmpty(_workspace.Observer.Finished);
        _workspace.EditRecipe("shuffle: 5", "split: { part: train, validation: 0, test: 0 }");
        Assert.True(_workspace.Build().Succeeded);
        Assert.NotEmpty(_workspace.Observer.Finished);
        _workspace.EditRecipe("part: train", "part: test");
        Assert.False(_workspace.Build().Succeeded);
        Assert.Contains(_workspace.Observer.Diagnostics, d => d.Code == "BML5008" && d.Message.Contains("0 of them are the part Test", StringComparison.Ordinal));
    }
}
