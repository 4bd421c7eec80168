namespace Build.ML.Caching.Stores;

/// <summary>Where a local store keeps what.</summary>
internal sealed class StoreFolder(string root)
{
    public string Root => root;

    public string RecordOf(string fingerprint) => Path.Combine(root, "ac", fingerprint[..2], fingerprint);

    public string ContentOf(string sha256) => Path.Combine(root, "cas", sha256[..2], sha256);

    public IEnumerable<FileInfo> Records() => Files("ac");

    public IEnumerable<FileInfo> Contents() => Files("cas");

    private IEnumerable<FileInfo> Files(string kind)
    {
        var folder = new DirectoryInfo(Path.Combine(root, kind));
        return folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Where(f => f.Name.Length == 64) : [];
    }
}
