using Build.ML.Tasks.Json;
using Build.ML.Tasks.Planning;

namespace Build.ML.Tasks.Tests;

/// <summary>What is deleted, and what counts as done.</summary>
public sealed class ItemFilesTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    [Fact]
    public void A_finished_item_fits_until_a_file_is_gone_or_newer_than_the_stamp_or_the_key_differs()
    {
        var item = Finished("r/a", "key-1");
        Assert.True(ItemFiles.Fit(item));

        File.SetLastWriteTimeUtc(item.Files[0], File.GetLastWriteTimeUtc(item.StampFile).AddSeconds(1));
        Assert.False(ItemFiles.Fit(item));

        item = Finished("r/b", "key-1");
        File.Delete(item.Files[0]);
        Assert.False(ItemFiles.Fit(item));

        item = Finished("r/c", "key-1");
        File.WriteAllText(item.KeyFile, "key-2");
        Assert.False(ItemFiles.Fit(item));
    }

    [Fact]
    public void An_item_that_is_no_longer_planned_takes_its_files_and_empty_folders_along()
    {
        var (kept, gone) = (Finished("r/a", "k"), Finished("old/b", "k"));

        ItemFiles.DeleteOrphans([kept, gone], [kept], folder.FullPath);

        Assert.True(File.Exists(kept.StampFile));
        Assert.False(Directory.Exists(Path.Combine(folder.FullPath, "old")));
    }

    [Fact]
    public void Nothing_outside_the_work_folder_is_deleted_whatever_the_record_says()
    {
        var outside = folder.Write("precious/file.txt", "mine");
        var work = Path.GetDirectoryName(folder.PathOf("work/x"))!;
        var item = Item("../precious", "k", Path.Combine(work, "..", "precious"), outside);

        ItemFiles.Delete(item, work);

        Assert.True(File.Exists(outside));
    }

    public void Dispose() => folder.Dispose();

    PlannedItem Finished(string id, string key)
    {
        var directory = folder.PathOf(id);
        var file = folder.Write(id + "/model.onnx", "model");
        File.WriteAllText(directory + ".key", key + "\n");
        File.WriteAllText(directory + ".content", "content");
        File.WriteAllText(directory + ".stamp", "stamp");
        return Item(id, key, directory, file);
    }

    static PlannedItem Item(string id, string key, string directory, string file) => new(new JsonObject
    {
        ["id"] = id,
        ["key"] = key,
        ["directory"] = directory,
        ["keyFile"] = directory + ".key",
        ["contentFile"] = directory + ".content",
        ["stampFile"] = directory + ".stamp",
        ["files"] = new List<object?> { file },
    });
}
