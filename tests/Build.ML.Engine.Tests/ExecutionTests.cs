using System.Text.Json;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Work;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Tests;

public sealed class ExecutionTests : IDisposable
{
    private readonly Workspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void Steps_transform_the_model_one_after_the_other()
    {
        _workspace.Build();
        using var result = Model.Open(Path.Combine(_workspace.Work, "net", "out", "net.small.onnx"));
        // w · 2, at most 17, plus the mean over two samples of 10 and 4
        Assert.Equal([9, 11, 13, 15, 17, 19, 21, 24], result.Graph.Initializers[0].Initializer!.ToArray<float>());
    }

    [Fact]
    public void An_output_whose_name_says_so_is_the_model_packed()
    {
        _workspace.EditRecipe("net.small.onnx:", "net.small.onnxz:");
        Assert.True(_workspace.Build().Succeeded);
        var packed = Path.Combine(_workspace.Work, "net", "out", "net.small.onnxz");
        Assert.Contains(Directory.GetFiles(Path.Combine(_workspace.Work, "net"), "model.onnx", SearchOption.AllDirectories), f => File.ReadAllBytes(f).AsSpan().SequenceEqual(Packing.PackedModel.Open(packed)));
        using var result = Model.Load(Packing.PackedModel.Open(packed));
        Assert.Equal([9, 11, 13, 15, 17, 19, 21, 24], result.Graph.Initializers[0].Initializer!.ToArray<float>());
    }

    [Fact]
    public void A_seed_reaches_the_technique()
    {
        _workspace.EditRecipe("recipe: net", "recipe: net\nseed: 4");
        _workspace.Build();
        using var result = Model.Open(Path.Combine(_workspace.Work, "net", "out", "net.small.onnx"));
        Assert.Equal(10, result.Graph.Initializers[0].Initializer!.ToArray<float>()[0]);
    }

    [Theory]
    [InlineData("test_shift", 3)] // outputs grow with positive weights
    [InlineData("test_accuracy", -1)] // the second column is larger: class 1 always, or class 0 with the sign turned, right for 2 of the 3 samples
    public void A_step_may_search_by_a_metric_of_the_recipe(string metric, float factor)
    {
        _workspace.EditRecipe("use: test.scale\n    with: { factor: 2 }", $"use: test.search\n    with: {{ by: {metric}, data: test }}");
        _workspace.EditRecipe("metrics: [test_accuracy, test_size]", "metrics: [test_accuracy, test_size, test_shift]");
        Assert.True(_workspace.Build().Succeeded);
        using var result = Model.Open(Path.Combine(_workspace.Work, "net", "scaled", "model.onnx"));
        Assert.Equal(factor, result.Graph.Initializers[0].Initializer!.ToArray<float>()[0]);
    }

    [Theory]
    [InlineData("test_shift <= -10", "2 tries")] // the first three rows of W, which the data selects, sum to 21: half of them shift the outputs by -10.5
    [InlineData("test_shift <= model.test_size", "1 tries")]
    public void A_step_may_try_candidates_until_the_gates_hold(string gate, string note)
    {
        _workspace.EditRecipe("use: test.scale\n    with: { factor: 2 }", "use: test.until_gates_hold");
        _workspace.EditRecipe("metrics: [test_accuracy, test_size]", "metrics: [test_accuracy, test_size, test_shift]");
        _workspace.EditRecipe("test_size <= 2 * model.test_size", gate);
        _workspace.Build();
        var report = StepReport.Read(Path.Combine(_workspace.Work, "net", "scaled"));
        Assert.Equal(note, report.Notes[0]);
        Assert.StartsWith(gate + ": actual ", report.Notes[1]);
    }

    [Fact]
    public void A_gate_of_another_step_cannot_decide_a_candidate()
    {
        _workspace.EditRecipe("use: test.scale\n    with: { factor: 2 }", "use: test.until_gates_hold");
        _workspace.EditRecipe("test_size <= 2 * model.test_size", "clipped.test_size <= 2 * model.test_size");
        Assert.False(_workspace.Build().Succeeded);
        Assert.Contains(_workspace.Observer.Diagnostics, d => d.Code == "BML5014" && d.Message.Contains("clipped.test_size", StringComparison.Ordinal));
    }

    [Fact]
    public void Metrics_are_those_of_running_the_model_on_limited_data()
    {
        _workspace.EditRecipe("metrics: [test_accuracy, test_size]", "metrics: [test_accuracy, test_size, test_shift, test_time]");
        Assert.True(_workspace.Build().Succeeded);
        var figures = MetricsFile.Read(Path.Combine(_workspace.Work, "net", "scaled.evaluate", "metrics.json")).ToDictionary(f => f.Value.Name);
        // x·W of the unit vectors is a row of W, whose second column is larger: class 1 always; labels of the first three samples are 0 1 0.
        Assert.Equal(1d / 3, figures["test_accuracy"].Value.Value);
        Assert.Equal(new FileInfo(Path.Combine(_workspace.Work, "net", "scaled", "model.onnx")).Length, figures["test_size"].Value.Value);
        // twice the weights: outputs shift by the sum of the first three rows of W
        Assert.Equal(1 + 2 + 3 + 4 + 5 + 6, figures["test_shift"].Value.Value, 1e-4);
        Assert.True(figures["test_time"].DependsOnMachine);
    }

    [Fact]
    public void The_report_shows_the_source_beside_each_step_and_the_gates()
    {
        _workspace.EditRecipe("metrics: [test_accuracy, test_size]", "metrics: [test_accuracy, test_size, test_time]");
        _workspace.Build();
        var lines = _workspace.Observer.Lines;
        Assert.Matches(@"^net +test_accuracy +test_size +test_time$", lines[0]);
        Assert.Matches(@"^model \(source\) +0\.3333 +\d+ B +\d+ ms$", lines[1]);
        Assert.Matches(@"^scaled \(test\.scale\) +0\.3333 \(=\) +\d+ B \(\d\.\d\dx\) +[\d.]+ ms \(0\.\d\dx\)$", lines[2]);
        Assert.Contains("scaled: weights times 2", lines);
        Assert.Contains("test_time: counted", lines);
        Assert.Matches(@"^gate test_size <= 2 \* model\.test_size: actual \d+, required <= \d+: holds$", lines[^2]);
        Assert.Equal($"page: {Path.Combine(_workspace.Work, "net", "report", "report.html")}", lines[^1]);
        Assert.StartsWith("| net | test_accuracy | test_size | test_time |\n|---|---:|---:|---:|\n| model (source) |",
            File.ReadAllText(Path.Combine(_workspace.Work, "net", "report", "report.md")));
    }

    [Fact]
    public void The_report_is_shown_also_when_nothing_ran()
    {
        _workspace.Build();
        var first = _workspace.Observer.Lines;
        _workspace.Build();
        Assert.Equal(first, _workspace.Observer.Lines);
        Assert.Empty(_workspace.Observer.Started);
    }

    [Fact]
    public void A_gate_that_does_not_hold_fails_the_build_with_both_values_and_leaves_the_outputs()
    {
        _workspace.Build();
        var before = _workspace.Output();
        _workspace.EditRecipe("test_size <= 2 * model.test_size", "test_size <= 0.5 * model.test_size");
        _workspace.EditRecipe("factor: 2", "factor: 3");
        var outcome = _workspace.Build();
        Assert.False(outcome.Succeeded);
        var size = new FileInfo(Path.Combine(_workspace.Root, "model.onnx")).Length;
        var error = Assert.Single(_workspace.Observer.Diagnostics);
        Assert.Equal("BML6001", error.Code);
        Assert.Contains($"actual {new FileInfo(Path.Combine(_workspace.Work, "net", "calibrated", "model.onnx")).Length}, required <= {size * 0.5}", error.Message);
        Assert.EndsWith("net.buildml.yaml", error.Location!.File);
        Assert.Equal(18, error.Location.Line);
        Assert.Equal(before, _workspace.Output());
        Assert.Contains(_workspace.Observer.Lines, l => l.EndsWith("FAILS"));
    }

    [Fact]
    public void A_gate_on_a_figure_that_was_not_taken_says_what_was()
    {
        _workspace.EditRecipe("- test_size <= 2 * model.test_size", "- test_size_p50 <= 2");
        Assert.False(_workspace.Build().Succeeded);
        var error = Assert.Single(_workspace.Observer.Diagnostics);
        Assert.Equal("BML6002", error.Code);
        Assert.Contains("measured are test_accuracy, test_size of model, scaled", error.Message);
    }

    [Fact]
    public void A_failing_step_fails_what_depends_on_it_and_keeps_its_last_result()
    {
        _workspace.Build();
        var before = File.ReadAllBytes(Path.Combine(_workspace.Work, "net", "clipped", "model.onnx"));
        _workspace.EditRecipe("use: test.clip\n    with: { maximum: 17 }", "use: test.trouble\n    with: { kind: mistake }");
        var outcome = _workspace.Build();
        Assert.Equal(ItemStatus.Failed, outcome.Items.Single(i => i.ItemId == "net/clipped").Status);
        Assert.Equal(ItemStatus.Skipped, outcome.Items.Single(i => i.ItemId == "net/calibrated").Status);
        Assert.Equal(ItemStatus.UpToDate, outcome.Items.Single(i => i.ItemId == "net/scaled.evaluate").Status);
        Assert.Equal("TST0001", Assert.Single(_workspace.Observer.Diagnostics).Code);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_workspace.Work, "net", "clipped", "model.onnx")));
        AssertNoTemporaryFiles();
        // it is not taken for done afterwards
        Assert.Equal(1, _workspace.Build().Count(ItemStatus.Failed));
    }

    [Fact]
    public void A_technique_that_returns_a_broken_model_is_named()
    {
        _workspace.EditRecipe("use: test.clip\n    with: { maximum: 17 }", "use: test.trouble\n    with: { kind: broken_model }");
        Assert.Equal(1, _workspace.Build().Count(ItemStatus.Failed));
        Assert.Equal("BML5007", _workspace.Observer.Diagnostics[0].Code);
        Assert.Contains("test.trouble", _workspace.Observer.Diagnostics[0].Message);
        Assert.NotNull(_workspace.Observer.Diagnostics[0].Location);
    }

    [Fact]
    public void A_source_model_that_is_not_valid_is_refused()
    {
        using (var model = new Model(new Graph.Ir.OnnxGraph("empty")))
        {
            model.Save(Path.Combine(_workspace.Root, "model.onnx"));
        }

        Assert.Equal(ItemStatus.Failed, _workspace.Build().Items[0].Status);
        Assert.Equal("BML5006", _workspace.Observer.Diagnostics[0].Code);
    }

    [Fact]
    public void A_defect_comes_out_with_its_stack_trace()
    {
        _workspace.EditRecipe("use: test.clip\n    with: { maximum: 17 }", "use: test.trouble\n    with: { kind: defect }");
        var e = Assert.Throws<InvalidOperationException>(() => _workspace.Build());
        Assert.Contains(nameof(Trouble), e.StackTrace);
        AssertNoTemporaryFiles();
    }

    [Fact]
    public async Task Cancelling_stops_at_once_and_leaves_no_temporary_file()
    {
        _workspace.EditRecipe("use: test.clip\n    with: { maximum: 17 }", "use: test.trouble\n    with: { kind: forever }");
        using var source = new CancellationTokenSource();
        Trouble.Began.Reset();
        var build = Task.Run(() => _workspace.Build(source.Token));
        Assert.True(Trouble.Began.Wait(TimeSpan.FromMinutes(1)));
        Assert.True(SpinWait.SpinUntil(() => _workspace.Observer.Progress.Any(p => p.Remaining is not null), TimeSpan.FromMinutes(1)));
        await source.CancelAsync();
        var outcome = await build.WaitAsync(TimeSpan.FromMinutes(1)); // of a step that never ends by itself
        Assert.Equal(ItemStatus.Cancelled, outcome.Items.Single(i => i.ItemId == "net/clipped").Status);
        Assert.Equal(ItemStatus.Ran, outcome.Items.Single(i => i.ItemId == "net/scaled").Status);
        Assert.False(Directory.Exists(Path.Combine(_workspace.Work, "net", "clipped")));
        AssertNoTemporaryFiles();
    }

    [Theory, InlineData(2, 2, 1), InlineData(1, 1, 1), InlineData(8, 4, 2)]
    public void Branches_run_in_parallel_within_the_core_budget(int cores, int expected, int threads)
    {
        using var workspace = new Workspace("""
            recipe: net
            model: model.onnx
            steps:
              - { id: a, use: test.parallel, from: model, seed: 1 }
              - { id: b, use: test.parallel, from: model, seed: 2 }
              - { id: c, use: test.parallel, from: model, seed: 3 }
              - { id: d, use: test.parallel, from: model, seed: 4 }
            outputs: { a.onnx: a, d.onnx: d }
            """) { Cores = cores };
        ParallelProbe.Most = ParallelProbe.MostThreads = 0;
        Assert.True(workspace.Build().Succeeded);
        Assert.Equal((expected, threads), (ParallelProbe.Most, ParallelProbe.MostThreads));
    }

    [Fact]
    public void Only_what_a_target_needs_is_done()
    {
        using var engine = _workspace.CreateEngine();
        var outcome = engine.RunAll(engine.Plan([_workspace.RecipePath]), _workspace.Observer, ["net/scaled.evaluate"]);
        Assert.Equal(["net/model", "net/scaled", "net/scaled.evaluate"], outcome.Items.Select(i => i.ItemId));
    }

    [Fact]
    public void Items_can_be_run_one_by_one_in_any_engine()
    {
        using (var first = _workspace.CreateEngine())
        {
            var plan = first.Plan([_workspace.RecipePath]);
            Assert.Equal("BML5002", Assert.Single(first.Run(plan, "net/scaled", _workspace.Observer).Diagnostics).Code);
            Assert.Equal(ItemStatus.Ran, first.Run(plan, "net/model", _workspace.Observer).Status);
        }

        using var second = _workspace.CreateEngine();
        var again = second.Plan([_workspace.RecipePath]);
        Assert.Equal(ItemStatus.UpToDate, second.Run(again, "net/model", _workspace.Observer).Status);
        Assert.Equal(ItemStatus.Ran, second.Run(again, "net/scaled", _workspace.Observer).Status);
    }

    [Fact]
    public void Provenance_is_an_in_toto_statement_about_the_output()
    {
        _workspace.Build();
        using var json = JsonDocument.Parse(_workspace.Output("net.small.onnx.provenance.json"));
        var root = json.RootElement;
        Assert.Equal("https://in-toto.io/Statement/v1", root.GetProperty("_type").GetString());
        Assert.Equal("https://slsa.dev/provenance/v1", root.GetProperty("predicateType").GetString());
        var subject = root.GetProperty("subject")[0];
        Assert.Equal("net.small.onnx", subject.GetProperty("name").GetString());
        Assert.Equal(Caching.Files.FileHash.Of(_workspace.Output()), subject.GetProperty("digest").GetProperty("sha256").GetString());
        var definition = root.GetProperty("predicate").GetProperty("buildDefinition");
        var steps = definition.GetProperty("externalParameters").GetProperty("steps").EnumerateArray().ToList();
        Assert.Equal(["scaled", "clipped", "calibrated"], steps.Select(s => s.GetProperty("id").GetString()));
        Assert.Equal("2", steps[0].GetProperty("with").GetProperty("factor").GetString());
        var digests = definition.GetProperty("resolvedDependencies").EnumerateArray().Select(d => d.GetProperty("digest").GetProperty("sha256").GetString()).ToList();
        Assert.Contains(Caching.Files.FileHash.Of(Path.Combine(_workspace.Root, "calibration.txt")), digests);
        Assert.Contains(_workspace.PluginHash, digests);
        Assert.Contains(Caching.Files.FileHash.Of(Path.Combine(_workspace.Root, "model.onnx")), digests);
        var metrics = root.GetProperty("predicate").GetProperty("runDetails").GetProperty("byproducts")[0].GetProperty("annotations");
        Assert.Equal(1d / 3, metrics.GetProperty("test_accuracy").GetDouble());
        Assert.DoesNotContain(_workspace.Root, json.RootElement.GetRawText());
    }

    [Fact]
    public void Explain_names_the_option_that_changed_and_what_follows()
    {
        _workspace.Build();
        _workspace.EditRecipe("factor: 2", "factor: 3");
        using var engine = _workspace.CreateEngine();
        var plan = engine.Plan([_workspace.RecipePath]);
        var explanation = engine.Explain(plan, "net/scaled");
        Assert.True(explanation.WouldRun);
        Assert.Equal(["option factor: changed from 2 to 3"], explanation.Reasons.AsEnumerable());
        Assert.Equal(["net/scaled, which it needs, would run"], engine.Explain(plan, "net/clipped").Reasons.AsEnumerable());
        Assert.False(engine.Explain(plan, "net/model.evaluate").WouldRun);
        Assert.Equal(plan.Items.Select(i => i.Id), engine.Explain(plan).Select(e => e.ItemId));
    }

    [Fact]
    public void Two_recipes_of_one_name_are_refused()
    {
        var other = _workspace.Write("other.buildml.yaml", File.ReadAllText(_workspace.RecipePath));
        using var engine = _workspace.CreateEngine();
        var e = Assert.Throws<DiagnosticException>(() => engine.Plan([_workspace.RecipePath, other]));
        Assert.Equal("BML5001", Assert.Single(e.Diagnostics).Code);
    }

    [Fact]
    public void A_data_set_without_samples_is_refused()
    {
        _workspace.EditRecipe("limit: 3", "skip: 4");
        Assert.False(_workspace.Build().Succeeded);
        Assert.Contains(_workspace.Observer.Diagnostics, d => d.Code == "BML5008");
    }

    [Fact]
    public async Task Two_builds_at_once_in_one_folder_do_each_item_once()
    {
        var builds = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            using var engine = _workspace.CreateEngine();
            return engine.RunAll(engine.Plan([_workspace.RecipePath]), new Recorder());
        })));
        Assert.All(builds, b => Assert.True(b.Succeeded));
        foreach (var item in builds[0].Items.Select((_, i) => builds.Select(b => b.Items[i]).ToList()))
        {
            Assert.Single(item, i => i.Status == ItemStatus.Ran);
        }
    }

    [Fact]
    public void A_step_before_the_one_it_needs_in_the_file_runs_after_it()
    {
        using var workspace = new Workspace("""
            recipe: net
            model: model.onnx
            steps:
              - { id: last, use: test.scale, from: first, with: { factor: 2 } }
              - { id: first, use: test.scale, from: model, with: { factor: 3 } }
            outputs: { net.onnx: last }
            """);
        using var engine = workspace.CreateEngine();
        Assert.Equal(["net/model", "net/first", "net/last", "net/out"], engine.Plan([workspace.RecipePath]).Items.Select(i => i.Id));
        Assert.True(workspace.Build().Succeeded);
    }

    private void AssertNoTemporaryFiles()
    {
        var folder = Path.Combine(_workspace.Work, ".tmp");
        Assert.Empty(Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder) : []);
    }
}
