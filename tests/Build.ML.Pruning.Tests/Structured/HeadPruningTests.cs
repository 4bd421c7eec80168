using Build.ML.Graph;
using Build.ML.Pruning.Structured;
using Build.ML.Pruning.Structured.Importances;
using Build.ML.Pruning.Tests.Depth;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class HeadPruningTests
{
    [Theory]
    [InlineData(4, 4)]
    [InlineData(8, 4)]
    public void A_head_whose_output_is_not_used_goes_without_changing_outputs(int heads, int keyHeads)
    {
        // The second key-value head, with all its query heads: its rows of the output projection are zero in every layer.
        using var model = Networks.Llama(2, heads, keyHeads);
        const int size = 4;
        var (width, group) = (heads * size, heads / keyHeads * size);
        foreach (var name in new[] { "model.layers.0.self_attn.o_proj.weight", "model.layers.1.self_attn.o_proj.weight" })
            Bench.Edit(model, name, numbers => Array.Clear(numbers, group * width, group * width));
        var ids = Networks.Ids(8, 50, 2, 12);
        var before = Networks.Run(model, ids);
        var result = new HeadPruning().Apply(
            model, new() { Sparsity = 1.0 / keyHeads, Scope = PruningScope.Layer, Importance = new ActivationOfOutput() }, Bench.Context());
        Assert.Equal(2, result.Layers.Count(l => l.Outcome == "pruned"));
        Assert.Empty(model.Validate());
        Assert.Equal(new long[] { width - group, width }, Sizes(model, "model.layers.0.self_attn.o_proj.weight"));
        Assert.Equal(new long[] { width, width - group }, Sizes(model, "model.layers.0.self_attn.q_proj.weight"));
        Assert.Equal(new long[] { width, (keyHeads - 1) * size }, Sizes(model, "model.layers.0.self_attn.k_proj.weight"));

        // The same sums in another order where blocks of products end elsewhere.
        Assert.All(before.Zip(Networks.Run(model, ids)), p => Assert.Equal(p.First, p.Second, 1e-5));
    }

    [Fact]
    public void Query_heads_within_groups_leave_keys_and_values_alone()
    {
        using var model = Networks.Llama(2, heads: 8, keyHeads: 2);
        new HeadPruning().Apply(model, new() { Sparsity = 0.5, Unit = HeadUnit.QueryHeads, Scope = PruningScope.Layer }, Bench.Context());
        Assert.Empty(model.Validate());
        Assert.Equal(new long[] { 32, 16 }, Sizes(model, "model.layers.0.self_attn.q_proj.weight"));
        Assert.Equal(new long[] { 32, 8 }, Sizes(model, "model.layers.0.self_attn.k_proj.weight"));
        Assert.Equal(2 * 12 * 50, Networks.Run(model, Networks.Ids(8, 50, 2, 12)).Length);
    }

    [Fact]
    public void Newton_takes_the_head_that_gives_nothing()
    {
        using var model = Networks.Llama(2, keyHeads: 4);
        foreach (var name in new[] { "model.layers.0.self_attn.o_proj.weight", "model.layers.1.self_attn.o_proj.weight" })
            Bench.Edit(model, name, numbers => Array.Clear(numbers, 0, numbers.Length / 2));
        var ids = Networks.Ids(8, 50, 2, 12);
        var before = Networks.Run(model, ids);
        var data = new Samples("input_ids", [.. Enumerable.Range(0, 6).Select(i => Networks.Ids(100 + i, 50, 12))]);
        new HeadPruning().Apply(model, new() { Sparsity = 0.5, Scope = PruningScope.Layer, Importance = new NewtonImportance(), Data = Bench.Data }, Bench.Context(data));
        Assert.Equal(new long[] { 8L, 16 }, Sizes(model, "model.layers.1.self_attn.o_proj.weight"));
        Assert.All(before.Zip(Networks.Run(model, ids)), p => Assert.Equal(p.First, p.Second, 1e-5));
    }

    private static long[] Sizes(Model model, string weight) => [.. model.Graph.Find(weight)!.Initializer!.Sizes];

    /// <summary>Scores a head by the rows of the output projection that read it.</summary>
    private sealed record ActivationOfOutput : Importance
    {
        public override IReadOnlyList<float[]> Score(ImportanceContext context) =>
        [
            .. context.Axes.Select(axis =>
            {
                var place = axis.Places.Single(p => p.Role == Graph.Coupling.AxisRole.Input);
                var sums = new double[axis.Size];
                new PositionSlices(place).Add([.. place.Constant.Constant!.ToArray<float>().Select(Math.Abs)], 0, sums);
                return Array.ConvertAll(sums, s => (float)s);
            }),
        ];
    }
}
