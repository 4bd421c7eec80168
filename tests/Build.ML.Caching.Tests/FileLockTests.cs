using Build.ML.Caching.Files;

namespace Build.ML.Caching.Tests;

public sealed class FileLockTests
{
    [Fact]
    public async Task Many_share_but_one_alone_waits_for_all()
    {
        using var folder = new TemporaryFolder();
        var file = new FileLock(folder.PathOf("lock"));
        var first = file.Share(CancellationToken.None);
        var second = file.Share(CancellationToken.None);
        var alone = Task.Run(() => file.Exclude(CancellationToken.None));
        first.Dispose();
        await Task.Delay(50);
        Assert.False(alone.IsCompleted);
        second.Dispose();
        using (await alone.WaitAsync(TimeSpan.FromSeconds(30)))
        {
            using var soon = new CancellationTokenSource(50);
            Assert.Throws<OperationCanceledException>(() => file.Share(soon.Token));
        }

        file.Share(CancellationToken.None).Dispose();
    }

    [Fact]
    public void Temporary_files_of_the_living_stay_and_those_of_the_dead_go()
    {
        using var folder = new TemporaryFolder();
        using var first = new TemporaryArea(folder.FullPath);
        File.WriteAllText(first.NewName(), "x");
        var dead = Directory.CreateDirectory(folder.PathOf("dead")).FullName;
        folder.Write("dead/left.bin", "x");
        folder.Write("dead.lock", "");
        using var second = new TemporaryArea(folder.FullPath);
        Assert.Single(Directory.EnumerateFiles(first.Folder));
        Assert.False(Directory.Exists(dead));
        Assert.NotEqual(first.Folder, second.Folder);
    }
}
