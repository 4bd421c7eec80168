using Build.ML.Tasks.Locking;

namespace Build.ML.Tasks.Tests;

public sealed class WorkFolderLockTests
{
    [Fact]
    public void Only_one_holds_the_lock_until_it_is_given_back()
    {
        using var folder = new TemporaryFolder();
        using (var first = WorkFolderLock.TryTake(folder.FullPath))
        {
            Assert.NotNull(first);
            Assert.Null(WorkFolderLock.TryTake(folder.FullPath));
        }
        using var second = WorkFolderLock.TryTake(folder.FullPath);
        Assert.NotNull(second);
    }
}
