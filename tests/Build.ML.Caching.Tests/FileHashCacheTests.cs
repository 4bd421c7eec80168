using Build.ML.Caching.Files;

namespace Build.ML.Caching.Tests;

public sealed class FileHashCacheTests
{
    private static readonly DateTime LongAgo = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void An_unchanged_file_is_read_once_also_by_the_next_process()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("a.bin", "content");
        var record = folder.PathOf("hashes");
        // An hour later: the file is not racily clean.
        using (var first = new FileHashCache(record, new Later(TimeSpan.FromHours(1))))
        {
            var hash = first.HashOf(file);
            Assert.Equal(hash, first.HashOf(file));
            Assert.Equal(FileHash.Of("content"u8), hash);
            Assert.Equal(1, first.FilesRead);
        }

        using var second = new FileHashCache(record);
        Assert.Equal(FileHash.Of("content"u8), second.HashOf(file));
        Assert.Equal(0, second.FilesRead);
    }

    [Fact]
    public void A_file_changed_just_before_it_was_hashed_is_read_again()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("a.bin", "content");
        using var cache = new FileHashCache();
        cache.HashOf(file);
        cache.HashOf(file);
        Assert.Equal(2, cache.FilesRead);
    }

    [Fact]
    public void A_new_content_of_the_same_size_is_seen_though_its_time_was_set_back()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("a.bin", "before");
        File.SetLastWriteTimeUtc(file, LongAgo);
        using var cache = new FileHashCache(time: new Later(TimeSpan.FromHours(1)));
        cache.HashOf(file);
        File.WriteAllText(file, "after!");
        File.SetLastWriteTimeUtc(file, LongAgo);
        if (OperatingSystem.IsLinux()) // elsewhere there is no ctime to tell
        {
            Assert.Equal(FileHash.Of("after!"u8), cache.HashOf(file));
        }
    }

    [Fact]
    public void A_touched_file_keeps_its_hash()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("a.bin", "content");
        using var cache = new FileHashCache(time: new Later(TimeSpan.FromHours(1)));
        var before = cache.HashOf(file);
        File.SetLastWriteTimeUtc(file, LongAgo);
        Assert.Equal(before, cache.HashOf(file));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense\n\n1 2 3\n")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 9 x 9 9 9 /a\n")]
    public void A_damaged_record_counts_as_empty(string text)
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("a.bin", "content");
        using var cache = new FileHashCache(folder.Write("hashes", text));
        Assert.Equal(FileHash.Of("content"u8), cache.HashOf(file));
    }

    private sealed class Later(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
    }
}
