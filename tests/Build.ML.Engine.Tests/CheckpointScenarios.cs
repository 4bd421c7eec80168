using Build.ML.Caching.Checkpoints;

namespace Build.ML.Engine.Tests;

/// <summary>From where a step that was interrupted goes on.</summary>
public sealed class CheckpointScenarios : IDisposable
{
    private const string Recipe = """
        recipe: net
        model: model.onnx
        steps:
          - id: long
            use: test.resume
            with: { amount: 1 }
        """;

    private readonly Workspace _workspace = new(Recipe);

    public void Dispose() => _workspace.Dispose();

    private string Checkpoints => Path.Combine(_workspace.Cache, "checkpoints");

    [Fact]
    public void InterruptedStepGoesOnWhereItWas()
    {
        Assert.Equal(10, Rounds(left: 100));
        var undisturbed = Model();
        using var other = new Workspace(Recipe);

        Resume.Left = 4;
        Assert.Throws<InvalidOperationException>(() => other.Build());
        Resume.Left = 3;
        Assert.Throws<InvalidOperationException>(() => other.Build());
        (Resume.Left, Resume.Done) = (100, 0);
        Assert.Equal("long", string.Join(' ', other.Names(ItemStatus.Ran).Split(' ').Where(n => n == "long")));

        Assert.Equal(3, Resume.Done);
        Assert.Equal(undisturbed, File.ReadAllBytes(Path.Combine(other.Work, "net", "long", "model.onnx")));
    }

    [Fact]
    public void CheckpointsOfAnotherCheckoutAreFound()
    {
        Interrupt(after: 6);
        _workspace.MoveTo("elsewhere", withWork: false);
        Assert.Equal(4, Rounds(left: 100));
    }

    [Fact]
    public void OptionChangeStartsAnew()
    {
        Interrupt(after: 6);
        _workspace.EditRecipe("amount: 1", "amount: 2");
        Assert.Equal(10, Rounds(left: 100));
    }

    [Fact]
    public void PluginCodeChangeStartsAnew()
    {
        Interrupt(after: 6);
        _workspace.PluginHash = new('c', 64);
        Assert.Equal(10, Rounds(left: 100));
    }

    [Fact]
    public void SuccessDeletesThem()
    {
        Interrupt(after: 6);
        Assert.Equal(6, Directory.GetFiles(Resume.Folder).Length);
        Rounds(left: 100);
        Assert.False(Directory.Exists(Resume.Folder));
    }

    [Fact]
    public void A_step_without_checkpoints_leaves_no_folder()
    {
        Interrupt(after: 0);
        Assert.False(Directory.Exists(Resume.Folder));
        Assert.Empty(Directory.GetDirectories(Checkpoints));
    }

    [Fact]
    public async Task A_second_build_waits_until_the_first_lets_go()
    {
        // As another build of the user that is at the same step would.
        Interrupt(after: 6);
        var fingerprint = Path.GetFileName(Resume.Folder);
        var held = new CheckpointArea(Checkpoints, TimeProvider.System).Hold(fingerprint, CancellationToken.None);
        (Resume.Left, Resume.Done) = (100, 0);
        var build = Task.Run(() => _workspace.Build());
        await Task.Delay(300);
        Assert.False(build.IsCompleted);
        Assert.Equal(0, Resume.Done);
        held.Dispose();
        await build.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(4, Resume.Done);
    }

    private void Interrupt(int after)
    {
        Resume.Left = after;
        Assert.Throws<InvalidOperationException>(() => _workspace.Build());
    }

    private int Rounds(int left)
    {
        (Resume.Left, Resume.Done) = (left, 0);
        Assert.Contains("long", _workspace.Names(ItemStatus.Ran), StringComparison.Ordinal);
        return Resume.Done;
    }

    private byte[] Model() => File.ReadAllBytes(Path.Combine(_workspace.Work, "net", "long", "model.onnx"));
}
