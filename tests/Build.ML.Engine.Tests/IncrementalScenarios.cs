namespace Build.ML.Engine.Tests;

/// <summary>What a change reruns: each test is named for the change and its outcome.</summary>
public sealed class IncrementalScenarios : IDisposable
{
    private const string Everything =
        "model scaled clipped calibrated model.evaluate scaled.evaluate clipped.evaluate calibrated.evaluate report out";

    private readonly Workspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void FirstBuildMiss() => Assert.Equal(Everything, _workspace.Names(ItemStatus.Ran));

    [Fact]
    public void NoChangeHit()
    {
        _workspace.Build();
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void OptionChangeMiss()
    {
        _workspace.Build();
        _workspace.EditRecipe("data: calibration }", "data: calibration, teacher: scaled }");
        Assert.Equal("calibrated calibrated.evaluate report out", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void CheckedGateChangeMiss()
    {
        _workspace.EditRecipe("use: test.scale\n    with: { factor: 2 }", "use: test.until_gates_hold");
        _workspace.Build();
        _workspace.EditRecipe("test_size <= 2 * model.test_size", "test_size <= 3 * model.test_size");
        Assert.Equal("scaled report", _workspace.Names(ItemStatus.Ran)); // with the same outcome, which what follows does not notice
    }

    [Fact]
    public void SearchedDataChangeMiss()
    {
        _workspace.EditRecipe("use: test.scale\n    with: { factor: 2 }", "use: test.search\n    with: { by: test_size, data: calibration }");
        _workspace.Build();
        _workspace.EditRecipe("metrics: [test_accuracy, test_size]", "metrics: [test_size, test_accuracy]");
        Assert.DoesNotContain("scaled ", _workspace.Names(ItemStatus.Ran) + " ", StringComparison.Ordinal); // other metrics do not concern the step
        _workspace.Write("calibration.txt", "1 2 3 4 0\n0 0 0 5 1\n");
        Assert.StartsWith("scaled ", _workspace.Names(ItemStatus.Ran), StringComparison.Ordinal);
    }

    [Fact]
    public void OptionWrittenOutAsItsDefaultHit()
    {
        _workspace.EditRecipe("with: { maximum: 17 }", "with: {}");
        _workspace.Build();
        _workspace.EditRecipe("with: {}", "with: { maximum: 1.0 }");
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void OptionChangedBackHitsTheCache()
    {
        _workspace.Build();
        _workspace.EditRecipe("factor: 2", "factor: 3");
        Assert.Equal("scaled clipped calibrated scaled.evaluate clipped.evaluate calibrated.evaluate report out", _workspace.Names(ItemStatus.Ran));
        _workspace.EditRecipe("factor: 3", "factor: 2");
        Assert.Equal("scaled clipped calibrated scaled.evaluate clipped.evaluate calibrated.evaluate", _workspace.Names(ItemStatus.FromCache));
    }

    [Fact]
    public void CommentChangeHit()
    {
        _workspace.Build();
        _workspace.EditRecipe("steps:", "# a comment\n\nsteps: # another");
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void KeyOrderChangeHit()
    {
        _workspace.Build();
        _workspace.EditRecipe("  - id: scaled\n    use: test.scale\n    with: { factor: 2 }", "  - with: { factor: 2.0 }\n    use: test.scale\n    id: scaled");
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void TouchOnlyHit()
    {
        _workspace.Build();
        foreach (var file in Directory.EnumerateFiles(_workspace.Root, "*", SearchOption.AllDirectories))
        {
            File.SetLastWriteTimeUtc(file, new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        }

        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void MovedCheckoutHit()
    {
        _workspace.Build();
        _workspace.MoveTo("elsewhere/deep", withWork: true);
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void OtherCheckoutHitsTheCache()
    {
        _workspace.Build();
        _workspace.MoveTo("elsewhere", withWork: false);
        Assert.Equal("scaled clipped calibrated model.evaluate scaled.evaluate clipped.evaluate calibrated.evaluate", _workspace.Names(ItemStatus.FromCache));
    }

    [Fact]
    public void PluginCodeChangeMiss()
    {
        _workspace.Build();
        _workspace.PluginHash = new('b', 64);
        // The outputs' bytes came out the same, so what stands on them alone is left.
        Assert.Equal("scaled clipped calibrated model.evaluate scaled.evaluate clipped.evaluate calibrated.evaluate", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void EngineVersionChangeMiss()
    {
        _workspace.Build();
        _workspace.Engine = "engine 2";
        Assert.Equal(Everything, _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void RuntimeVersionChangeMiss()
    {
        _workspace.Build();
        _workspace.Runtime = " patched";
        Assert.Equal("scaled clipped calibrated model.evaluate scaled.evaluate clipped.evaluate calibrated.evaluate", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void CalibrationContentChangeMiss()
    {
        _workspace.Build();
        var time = File.GetLastWriteTimeUtc(Path.Combine(_workspace.Root, "calibration.txt"));
        var file = _workspace.Write("calibration.txt", "1 2 3 4 0\n0 0 0 5 1\n"); // same size
        File.SetLastWriteTimeUtc(file, time);
        Assert.Equal("calibrated calibrated.evaluate report out", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void CalibrationRenameHit()
    {
        _workspace.Build();
        File.Move(Path.Combine(_workspace.Root, "calibration.txt"), Path.Combine(_workspace.Root, "other.txt"));
        _workspace.EditRecipe("file: calibration.txt", "file: other.txt");
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
    }

    [Fact]
    public void LimitChangeMiss()
    {
        _workspace.Build();
        _workspace.EditRecipe("limit: 3", "limit: 4");
        Assert.Equal("model.evaluate scaled.evaluate clipped.evaluate calibrated.evaluate report", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void SeedChangeMiss()
    {
        _workspace.Build();
        _workspace.EditRecipe("use: test.calibrate", "use: test.calibrate\n    seed: 5");
        Assert.Equal("calibrated calibrated.evaluate report out", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void UpstreamSameContentCutoff()
    {
        _workspace.Build();
        _workspace.EditRecipe("maximum: 17", "maximum: 17, note: other"); // which changes nothing
        Assert.Equal("clipped", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void SourceModelChangeMiss()
    {
        _workspace.Build();
        using var model = Workspace.Linear();
        Weights.Edit(model, w => w + 1);
        model.Save(Path.Combine(_workspace.Root, "model.onnx"));
        Assert.Equal(Everything, _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void GateChangeReportsOnly()
    {
        _workspace.Build();
        _workspace.EditRecipe("<= 2 * model", "<= 3 * model");
        Assert.Equal("report", _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void OutputRenameMovesTheOutput()
    {
        _workspace.Build();
        var before = _workspace.Output();
        _workspace.EditRecipe("net.small.onnx", "renamed.onnx");
        Assert.Equal("out", _workspace.Names(ItemStatus.Ran));
        Assert.Equal(before, _workspace.Output("renamed.onnx"));
        Assert.False(File.Exists(Path.Combine(_workspace.Work, "net", "out", "net.small.onnx")));
    }

    [Fact]
    public void DeletedResultComesFromTheCache()
    {
        _workspace.Build();
        Directory.Delete(Path.Combine(_workspace.Work, "net", "clipped"), recursive: true);
        Assert.Equal("clipped", _workspace.Names(ItemStatus.FromCache));
    }

    [Fact]
    public void AlteredResultIsReplaced()
    {
        _workspace.Build();
        var before = _workspace.Output();
        var file = Path.Combine(_workspace.Work, "net", "out", "net.small.onnx");
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal("out", _workspace.Names(ItemStatus.Ran));
        Assert.Equal(before, _workspace.Output());
    }

    [Fact]
    public void ResultOverwrittenInPlaceDoesNotPoisonTheCache()
    {
        _workspace.Build();
        var before = _workspace.Output();
        var file = Path.Combine(_workspace.Work, "net", "scaled", "model.onnx");
        File.SetAttributes(file, FileAttributes.Normal);
        File.WriteAllBytes(file, [.. File.ReadAllBytes(file).Reverse()]);
        var outcome = _workspace.Build();
        Assert.True(outcome.Succeeded);
        Assert.Equal(before, _workspace.Output());
        _workspace.Clean();
        Assert.True(_workspace.Build().Succeeded);
        Assert.Equal(before, _workspace.Output());
    }

    [Fact]
    public void LostCacheRunsAgain()
    {
        _workspace.Build();
        Directory.Delete(_workspace.Cache, recursive: true);
        Assert.Equal(Everything, _workspace.Names(ItemStatus.UpToDate));
        _workspace.Clean();
        Directory.Delete(_workspace.Cache, recursive: true);
        Assert.Equal(Everything, _workspace.Names(ItemStatus.Ran));
    }

    [Fact]
    public void TwoCleanBuildsInTwoFoldersGiveTheSameBytes()
    {
        _workspace.Build();
        using var other = new Workspace();
        other.MoveTo("a/longer/path", withWork: true);
        other.Build();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_workspace.Work, "net", "out"), "*", SearchOption.AllDirectories))
        {
            var name = Path.GetFileName(file);
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(other.Output(name)), $"{name} differs");
        }
    }

    [Fact]
    public void MSBuildFilesTellTheTruth()
    {
        _workspace.Build();
        using var engine = _workspace.CreateEngine();
        var plan = engine.Plan([_workspace.RecipePath]);
        foreach (var item in plan.Items)
        {
            Assert.Equal(item.Key, File.ReadAllText(item.KeyFile).Trim());
            Assert.All(item.Files, f => Assert.True(File.Exists(f), f));
            Assert.All(item.Needs, n => Assert.True(File.GetLastWriteTimeUtc(plan[n].ContentFile) <= File.GetLastWriteTimeUtc(item.StampFile)));
        }

        var contents = plan.Items.ToDictionary(i => i.Id, i => File.GetLastWriteTimeUtc(i.ContentFile));
        _workspace.EditRecipe("maximum: 17", "maximum: 17, note: other");
        plan = engine.Plan([_workspace.RecipePath]);
        engine.WriteKeys(plan);
        Assert.False(File.Exists(plan["net/clipped"].StampFile));
        Assert.True(File.Exists(plan["net/calibrated"].StampFile));
        engine.RunAll(plan, _workspace.Observer);
        Assert.All(plan.Items, i => Assert.Equal(contents[i.Id], File.GetLastWriteTimeUtc(i.ContentFile))); // nobody after it is woken
    }
}
