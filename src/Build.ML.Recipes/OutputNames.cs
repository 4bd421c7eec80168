namespace Build.ML.Recipes;

/// <summary>The file names of a recipe's outputs, and which of them cannot be together in one folder.</summary>
internal sealed class OutputNames
{
    private readonly Dictionary<string, string> _files = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _folders = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>A name added before that would be the same file (without regard to case), or a folder where this is a file, or the other way round.</summary>
    internal string? Clash(string name) =>
        _files.GetValueOrDefault(name) ?? _folders.GetValueOrDefault(name) ?? Folders(name).Select(f => _files.GetValueOrDefault(f)).FirstOrDefault(f => f is not null);

    internal void Add(string name)
    {
        _files.Add(name, name);
        foreach (var folder in Folders(name))
        {
            _folders.TryAdd(folder, name);
        }
    }

    private static IEnumerable<string> Folders(string name)
    {
        for (var slash = name.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = name.IndexOf('/', slash + 1))
        {
            yield return name[..slash];
        }
    }
}
