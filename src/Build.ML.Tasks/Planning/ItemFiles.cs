namespace Build.ML.Tasks.Planning;

/// <summary>What items leave in the work folder, looked at and cleaned without the worker.</summary>
public static class ItemFiles
{
    /// <summary>
    /// Whether an item's files look as they were left: all there, the key as planned, nothing changed after the stamp, which is written last.
    /// The worker looks deeper whenever it plans or runs.
    /// </summary>
    public static bool Fit(PlannedItem item)
    {
        var stamp = new FileInfo(item.StampFile);
        if (!stamp.Exists || !File.Exists(item.ContentFile))
            return false;
        var key = new FileInfo(item.KeyFile);
        if (!key.Exists || File.ReadAllText(item.KeyFile).Trim() != item.Key)
            return false;
        foreach (var path in item.Files)
        {
            var file = new FileInfo(path);
            if (!file.Exists || file.LastWriteTimeUtc > stamp.LastWriteTimeUtc)
                return false;
        }
        return true;
    }

    /// <summary>Sets the stamp's time so that MSBuild, which compares times, sees what the worker found: that the item is up to date.</summary>
    public static void Freshen(PlannedItem item, IEnumerable<PlannedItem> needs)
    {
        var stamp = new FileInfo(item.StampFile);
        if (!stamp.Exists)
            return;
        var newest = needs.Select(need => need.ContentFile).Append(item.KeyFile).Max(File.GetLastWriteTimeUtc);
        if (stamp.LastWriteTimeUtc < newest)
            stamp.LastWriteTimeUtc = newest;
    }

    /// <summary>Deletes what items that are no longer planned have left.</summary>
    public static void DeleteOrphans(IEnumerable<PlannedItem> previous, IEnumerable<PlannedItem> current, string workPath)
    {
        var kept = new HashSet<string>(current.Select(i => i.Id), StringComparer.Ordinal);
        foreach (var item in previous)
            if (!kept.Contains(item.Id))
                Delete(item, workPath);
    }

    /// <summary>Deletes everything that an item has left below the work folder, and the folders that this leaves empty.</summary>
    public static void Delete(PlannedItem item, string workPath)
    {
        var lockFile = item.Directory + ".lock"; // the engine's, held while the item runs
        foreach (var path in new[] { item.StampFile, item.KeyFile, item.ContentFile, lockFile, item.Directory }.Where(p => IsBelow(p, workPath)))
            DeleteEntry(path);
        for (var folder = Path.GetDirectoryName(item.StampFile);
             folder is not null && IsBelow(folder, workPath) && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any();
             folder = Path.GetDirectoryName(folder))
            Directory.Delete(folder);
    }

    /// <summary>Deletes a file or a folder with all it holds, if it is there.</summary>
    public static void DeleteEntry(string path)
    {
        if (File.Exists(path))
            File.Delete(path);
        if (!Directory.Exists(path))
            return;
        if (Path.DirectorySeparatorChar == '\\') // Windows refuses to delete read-only files, which is what links into the cache are
            foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
                File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(path, recursive: true);
    }

    // A record that was moved with its folder, or tampered with, must not reach other files.
    static bool IsBelow(string path, string workPath)
    {
        var root = Path.GetFullPath(workPath).TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar;
        return path.Length > 0 && Path.GetFullPath(path).StartsWith(root, StringComparison.Ordinal);
    }
}
