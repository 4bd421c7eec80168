using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Tests;

/// <summary>When what a step derives from its model and data is computed again: each test is named for the change and its outcome.</summary>
public sealed class DerivedScenarios : IDisposable
{
    private const string Recipe = """
        recipe: net
        model: model.onnx
        data:
          calibration: { reader: test_lines, file: calibration.txt }
          other: { reader: test_lines, file: calibration.txt }
          test: { reader: test_lines, file: test.txt }
        steps:
          - id: first
            use: test.derive
            with: { data: calibration, shift: 1 }
          - id: second
            use: test.derive
            from: model
            with: { data: other, shift: 2 }
        """;

    private readonly Workspace _workspace = new(Recipe) { Cores = 1 };

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void TwoStepsThatDeriveTheSameComputeOnce() => Assert.Equal(1, Computed("first second"));

    [Fact]
    public void TwoStepsAtOnceThatDeriveTheSameComputeOnce()
    {
        _workspace.Cores = 2;
        Derive.Duration = TimeSpan.FromMilliseconds(300);
        Assert.Equal(1, Computed("first second"));
        Derive.Duration = default;
    }

    [Fact]
    public void OptionThatDoesNotDecideItHit()
    {
        Computed("first second");
        _workspace.EditRecipe("shift: 2", "shift: 3");
        Assert.Equal(0, Computed("second"));
    }

    [Fact]
    public void OtherCheckoutHit()
    {
        Computed("first second");
        _workspace.MoveTo("elsewhere", withWork: false);
        _workspace.EditRecipe("shift: 1", "shift: 4");
        Assert.Equal(0, Computed("first"));
    }

    [Fact]
    public void DataChangeMiss()
    {
        Computed("first second");
        _workspace.Write("calibration.txt", "1 2 3 4 0\n0 0 0 5 1\n");
        Assert.Equal(1, Computed("first second"));
    }

    [Fact]
    public void DataLimitMiss()
    {
        Computed("first second");
        _workspace.EditRecipe("other: { reader: test_lines, file: calibration.txt }", "other: { reader: test_lines, file: calibration.txt, limit: 1 }");
        Assert.Equal(1, Computed("second"));
    }

    [Fact]
    public void ModelChangeMiss()
    {
        Computed("first second");
        var path = Path.Combine(_workspace.Root, "model.onnx");
        using (var model = Graph.Model.Load(File.ReadAllBytes(path)))
        {
            Weights.Edit(model, w => w + 1);
            model.Save(path);
        }

        Assert.Equal(1, Computed("first second"));
    }

    [Fact]
    public void PluginCodeChangeMiss()
    {
        Computed("first second");
        _workspace.PluginHash = new('b', 64);
        Assert.Equal(1, Computed("first second"));
    }

    [Fact]
    public void RuntimeChangeMiss()
    {
        Computed("first second");
        _workspace.Runtime = " patched";
        Assert.Equal(1, Computed("first second"));
    }

    [Fact]
    public void DamagedContentMissWithAWarning()
    {
        Computed("first second");
        var derived = Directory.GetFiles(Path.Combine(_workspace.Cache, "v1", "cas"), "*", SearchOption.AllDirectories).Single(f => new FileInfo(f).Length == sizeof(float));
        File.SetAttributes(derived, FileAttributes.Normal);
        File.WriteAllBytes(derived, [1, 2, 3, 4]);
        _workspace.EditRecipe("shift: 2", "shift: 3");
        Assert.Equal(1, Computed("second"));
    }

    [Fact]
    public void CollectedCacheMiss()
    {
        Computed("first second");
        using (var engine = _workspace.CreateEngine())
        {
            engine.Store.Collect(0);
        }

        _workspace.EditRecipe("shift: 2", "shift: 3");
        Assert.Equal(1, Computed("second"));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_to_costs_a_warning_only()
    {
        Computed("first second");
        var expected = File.ReadAllBytes(Path.Combine(_workspace.Work, "net", "first", "model.onnx"));
        _workspace.Clean();
        // A file where the store's folder of contents must be.
        Directory.Delete(Path.Combine(_workspace.Cache, "v1"), recursive: true);
        Directory.CreateDirectory(Path.Combine(_workspace.Cache, "v1"));
        File.WriteAllText(Path.Combine(_workspace.Cache, "v1", "cas"), "no folder");

        Assert.Equal(2, Computed("first second"));
        Assert.Equal(expected, File.ReadAllBytes(Path.Combine(_workspace.Work, "net", "first", "model.onnx")));
        Assert.NotEmpty(_workspace.Observer.Diagnostics);
        Assert.All(_workspace.Observer.Diagnostics, d => Assert.Equal(("BML4002", Severity.Warning), (d.Code, d.Severity)));
    }

    private int Computed(string expectedToRun)
    {
        Derive.Computed = 0;
        Assert.Equal(expectedToRun, string.Join(' ', _workspace.Names(ItemStatus.Ran).Split(' ').Where(n => n is "first" or "second")));
        return Derive.Computed;
    }
}
