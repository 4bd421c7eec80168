using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Stores;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Reporting;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;
using Build.ML.Recipes.Gates;

namespace Build.ML.Engine.Tests;

public sealed class ReportPageTests
{
    [Fact]
    public void A_build_leaves_the_same_page_in_any_folder()
    {
        using var workspace = new Workspace();
        Assert.True(workspace.Build().Succeeded);
        var page = File.ReadAllText(PageOf(workspace));
        Assert.DoesNotContain(workspace.Root, page);
        workspace.Cache += "2";
        workspace.MoveTo("elsewhere", withWork: false);
        Assert.True(workspace.Build().Succeeded);
        Assert.Equal(page, File.ReadAllText(PageOf(workspace)));
    }

    [Fact]
    public void The_page_fetches_nothing_and_runs_nothing()
    {
        using var workspace = new Workspace();
        workspace.Build();
        var page = File.ReadAllText(PageOf(workspace));
        foreach (var forbidden in new[] { "http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link" })
        {
            Assert.DoesNotContain(forbidden, page);
        }

        Assert.Contains("prefers-color-scheme: dark", page);
        Assert.Contains("1 gate held", page);
    }

    [Fact]
    public void What_techniques_say_is_escaped()
    {
        var page = Page(accuracy: 0.9, note: "<script>alert('x')</script> & more", layer: "a<b>\"c\"");
        Assert.DoesNotContain("<script", page);
        Assert.Contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more", page);
        Assert.Contains("<td>a&lt;b&gt;&quot;c&quot;</td>", page);
    }

    [Fact]
    public void Gates_show_actual_and_required_and_figures_their_change()
    {
        var page = Page(accuracy: 0.8);
        Assert.Contains("1 of 1 gate failed", page);
        Assert.Contains("<td class=\"number\">0.8</td><td class=\"number\">&gt;= 0.89</td><td class=\"bad\">fails</td>", page);
        Assert.Contains("0.8<br><small class=\"bad\">-0.1</small>", page);
        Assert.Contains("<small class=\"good\">0.25x</small>", page);
    }

    [Fact]
    public void The_chart_places_models_by_size_and_quality()
    {
        var page = Page(accuracy: 0.8);
        // Sizes run from 0 to 1 MB over 660 units from 76, accuracy from 0.8 to 0.9 over 272 units up from 292.
        Assert.Contains("<circle class=\"source\" cx=\"736\" cy=\"20\" r=\"6\">", page);
        Assert.Contains("<circle class=\"step\" cx=\"241\" cy=\"292\" r=\"6\">", page);
    }

    private static string PageOf(Workspace workspace) => Path.Combine(workspace.Work, "net", "report", "report.html");

    private static string Page(double accuracy, string note = "fine", string layer = "conv")
    {
        var place = new SourceLocation("net.buildml.yaml", 1, 1);
        var recipe = new Recipe
        {
            Name = "net",
            File = "net.buildml.yaml",
            Files = [],
            Properties = ImmutableSortedDictionary<string, string>.Empty,
            Model = new ModelSource(new FileReference("model.onnx"), place),
            Steps = [new Step("int8", "test.scale", new object(), Recipe.SourceModel, 0, place) { Needs = [Recipe.SourceModel] }],
            Gates = [new Gate(GateExpression.Parse("accuracy >= model.accuracy - 0.01"), place)],
        };
        var figures = new EvaluationSet([Of(Recipe.SourceModel, 0.9, 1_000_000), Of("int8", accuracy, 250_000)]);
        var said = new StepReport("test.scale", [new LayerOutcome(layer, "Conv", "scaled", "", [KeyValuePair.Create("bits", 8.0)])], [note]);
        var report = new RecipeReport(recipe, figures, new Dictionary<string, StepReport> { ["int8"] = said });
        return new ReportPage(report, new Dictionary<string, IReadOnlyList<StoredFile>> { ["int8"] = [new("model.onnx", 250_000, new('a', 64))] }).Write();
    }

    private static KeyValuePair<string, ImmutableArray<Measurement>> Of(string model, double accuracy, double size) => new(model,
    [
        new(new MetricValue("accuracy", accuracy, "ratio", Direction.HigherIsBetter), false),
        new(new MetricValue("size", size, "bytes", Direction.LowerIsBetter), false),
    ]);
}
