using Build.ML.Abstractions.References;
using Build.ML.Recipes.Options;

namespace Build.ML.Recipes.Tests;

public sealed class OptionBindingTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_kind_of_option_binds()
    {
        var options = Pruning("""
            { sparsity: 1, importance: taylor_first_order, data: d, exact: true, include: [a, "3"], groups: [0x10, 0o7],
                per_layer: { b: 1e-3, a: -.5 }, schedule: { steps: 3 }, rounds: -4, clip: .inf, note: "yes" }
            """.Replace("0o7", "7", StringComparison.Ordinal));

        Assert.Equal(1.0, options.Sparsity);
        Assert.Equal(Importance.TaylorFirstOrder, options.Importance);
        Assert.Equal(new DataReference("d"), options.Data);
        Assert.True(options.Exact);
        Assert.Equal(["a", "3"], options.Include.ToArray());
        Assert.Equal([16, 7], options.Groups);
        Assert.Equal([("a", -.5), ("b", 1e-3)], options.PerLayer.Select(p => (p.Key, p.Value)));
        Assert.Equal(new ChannelPruning.Schedule(3, 0.1), options.Schedule);
        Assert.Equal(-4, options.Rounds);
        Assert.Equal(float.PositiveInfinity, options.Clip);
        Assert.Equal("yes", options.Note);
    }

    [Fact]
    public void What_a_recipe_leaves_out_has_its_default()
    {
        var options = Pruning("{}");

        Assert.Equal((0.5, Importance.Magnitude, (DataReference?)null, false), (options.Sparsity, options.Importance, options.Data, options.Exact));
        Assert.Equal(["*"], options.Include.ToArray());
        Assert.Null(options.Schedule);
    }

    [Fact]
    public void Null_clears_an_option_that_allows_it() => Assert.Null(Pruning("{ rounds: ~, schedule: null }").Rounds);

    [Fact]
    public void An_explicit_default_changes_no_canonical_text() =>
        Assert.Equal(
            Text(Pruning("{}")),
            Text(Pruning("{ clip: 1.0, sparsity: 5e-1, importance: magnitude, include: ['*'], groups: [], note: '' }")));

    [Theory]
    [InlineData("{ sparsity: 0.51 }")]
    [InlineData("{ include: ['*', a] }")]
    [InlineData("{ schedule: { steps: 3 } }")]
    [InlineData("{ rounds: 0 }")]
    [InlineData("{ per_layer: { a: 0 } }")]
    [InlineData("{ note: 'null' }")]
    [InlineData("{ data: d }")]
    public void Any_changed_option_changes_the_canonical_text(string with) => Assert.NotEqual(Text(Pruning("{}")), Text(Pruning(with)));

    [Fact]
    public void The_order_of_keys_changes_no_canonical_text() =>
        Assert.Equal(
            Text(Pruning("{ exact: true, sparsity: 0.1, per_layer: { b: 1, a: 2 } }")),
            Text(Pruning("{ per_layer: { a: 2, b: 1 }, sparsity: 0.1, exact: true }")));

    [Fact]
    public void Canonical_text_spells_every_option_out() =>
        Assert.Equal("""
            clip=1
            data=<d>
            exact=false
            groups[0000]=1
            importance=magnitude
            include[0000]="*"
            note="a\nb"
            per_layer["x"]=0.1
            rate=0
            rounds=null
            schedule.factor=0.1
            schedule.steps=3
            sparsity=0.3333333333333333
            width=1
            """.ReplaceLineEndings("\n"),
            Text(Pruning("""{ data: d, sparsity: 0.3333333333333333, note: "a\nb", groups: [1], per_layer: { x: 0.1 }, schedule: { steps: 3 } }""")));

    [Fact]
    public void References_are_found_and_files_replaced()
    {
        var recipe = _folder.Parse(RecipeFolder.Example.Replace(
            "teacher: model", "teacher: slim, vocabulary: dict.txt, by: accuracy, assistants: [model]", StringComparison.Ordinal));
        var options = recipe.StepNamed("recover").Options;

        Assert.Equal(
            [("assistants[0000]", ReferenceKind.Model, "model"), ("by", ReferenceKind.Metric, "accuracy"), ("data", ReferenceKind.Data, "calibration"), ("teacher", ReferenceKind.Model, "slim"),
                ("vocabulary", ReferenceKind.File, _folder.PathOf("dict.txt"))],
            OptionWalk.References(options).Select(r => (r.Path, r.Kind, r.Name)));
        Assert.Equal(["slim", "model"], recipe.StepNamed("recover").Needs.ToArray());
        var mapped = (Distillation.Options)OptionWalk.MapFiles(options, f => new(f.Path + ".local"));
        Assert.Equal(_folder.PathOf("dict.txt.local"), mapped.Vocabulary!.Value.Path);
        Assert.Equal(((Distillation.Options)options) with { Vocabulary = null, Assistants = [] }, mapped with { Vocabulary = null, Assistants = [] });
    }

    [Fact]
    public void A_record_that_recipes_cannot_express_is_its_authors_mistake()
    {
        var error = Assert.Throws<Graph.Diagnostics.DiagnosticException>(() => OptionRecord.Of(typeof(Odd)));

        Assert.Contains("BML3020", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Anything' is a Object", error.Message, StringComparison.Ordinal);
    }

    public sealed record Odd(object Anything);

    ChannelPruning.Options Pruning(string with) => (ChannelPruning.Options)_folder.Parse(RecipeFolder.Pruning(with)).Steps[0].Options;

    static string Text(object options) => string.Join('\n', OptionWalk.Canonical(options, r => $"<{r.Name}>").Select(e => $"{e.Key}={e.Value}"));
}
