using Build.ML.Caching.Checkpoints;

namespace Build.ML.Caching.Tests;

public sealed class CheckpointTests : IDisposable
{
    static readonly string First = new('1', 64);
    static readonly string Second = new('2', 64);

    readonly TemporaryFolder _folder = new();
    readonly Clock _clock = new();

    public void Dispose() => _folder.Dispose();

    CheckpointArea Area => new(Path.Combine(_folder.FullPath, "checkpoints"), _clock);

    [Fact]
    public void The_same_fingerprint_finds_its_files_again()
    {
        Leave(First, "layer1");
        using var again = Area.Hold(First, CancellationToken.None);
        using var other = Area.Hold(Second, CancellationToken.None);
        Assert.Equal("layer1", Path.GetFileName(Assert.Single(Directory.GetFiles(again.Folder))));
        Assert.Empty(Directory.GetFiles(other.Folder));
    }

    [Fact]
    public void A_folder_is_held_by_one_at_a_time()
    {
        var held = Area.Hold(First, CancellationToken.None);
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        Assert.Throws<OperationCanceledException>(() => Area.Hold(First, soon.Token));
        held.Dispose();
        Area.Hold(First, CancellationToken.None).Dispose();
    }

    [Fact]
    public void Completed_work_leaves_no_files()
    {
        Leave(First, "layer1");
        using (var held = Area.Hold(First, CancellationToken.None))
            held.Complete();
        using var again = Area.Hold(First, CancellationToken.None);
        Assert.Empty(Directory.GetFiles(again.Folder));
        Assert.Equal((0, 0), Area.Statistics());
    }

    [Fact]
    public void Old_ones_are_collected_unless_held()
    {
        Leave(First, "old");
        Leave(Second, "old and held");
        using var held = Area.Hold(Second, CancellationToken.None);
        Assert.Equal((2, 2L * 100), Area.Statistics());
        Assert.Equal(0, Area.Collect(CheckpointArea.MaximumAge).Artifacts);

        _clock.Now += CheckpointArea.MaximumAge + TimeSpan.FromHours(1);
        var collected = Area.Collect(CheckpointArea.MaximumAge);

        Assert.Equal((1, 100), (collected.Artifacts, collected.Bytes));
        Assert.True(File.Exists(Path.Combine(held.Folder, "old and held")));
        using var again = Area.Hold(First, CancellationToken.None);
        Assert.Empty(Directory.GetFiles(again.Folder));
    }

    void Leave(string fingerprint, string file)
    {
        using var held = Area.Hold(fingerprint, CancellationToken.None);
        File.WriteAllBytes(Path.Combine(held.Folder, file), new byte[100]);
    }

    sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
