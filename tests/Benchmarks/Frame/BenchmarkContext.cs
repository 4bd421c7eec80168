using System.Globalization;

namespace Build.ML.Benchmarks.Frame;

/// <summary>What a benchmark is given: options, a folder that is deleted afterwards, child processes.</summary>
public sealed class BenchmarkContext : IDisposable
{
    private readonly string _name;
    private readonly IReadOnlyDictionary<string, string> _options;
    private readonly Action<string> _log;
    private string? _folder;

    /// <summary>A context for one benchmark.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="options">Values of <c>--name value</c>.</param>
    /// <param name="log">Where progress goes.</param>
    public BenchmarkContext(string name, IReadOnlyDictionary<string, string> options, Action<string> log)
    {
        _name = name;
        _options = options;
        _log = log;
    }

    /// <summary>A folder for this run, on the disk of option <c>--temp</c> or of the system's temporary folder; deleted afterwards.</summary>
    public string Folder => _folder ??=
        Directory.CreateDirectory(Path.Combine(Option("temp", Path.GetTempPath()), $"buildml-{_name}-{Path.GetRandomFileName()}")).FullName;

    /// <summary>The value of <c>--name</c>, or null.</summary>
    public string? Option(string name) => _options.GetValueOrDefault(name);

    /// <summary>The value of <c>--name</c>, or <paramref name="otherwise"/>.</summary>
    public string Option(string name, string otherwise) => Option(name) ?? otherwise;

    /// <summary>The number of <c>--name</c>, or <paramref name="otherwise"/>.</summary>
    public long Option(string name, long otherwise) => Option(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>A path that an option must give.</summary>
    /// <exception cref="MissingDataException">It is not given, or there is nothing.</exception>
    public string RequiredPath(string name, string what)
    {
        var path = Option(name) ?? throw new MissingDataException($"{_name} needs {what}: pass --{name} PATH.");
        return Path.Exists(path) ? path : throw new MissingDataException($"{_name} needs {what}: there is nothing at '{path}'.");
    }

    /// <summary>Says what goes on.</summary>
    public void Log(string line) => _log(line);

    /// <summary>Runs <see cref="IBenchmark.RunChild"/> of this benchmark in a process of its own.</summary>
    /// <exception cref="InvalidOperationException">It failed; with what it printed.</exception>
    public ChildOutcome RunChild(params IReadOnlyList<string> arguments) => ChildProcess.RunSelf(["--child", _name, .. arguments]);

    /// <summary>As the other overload, ended after a time.</summary>
    /// <exception cref="InvalidOperationException">It failed, or took longer.</exception>
    public ChildOutcome RunChild(TimeSpan limit, params IReadOnlyList<string> arguments) => ChildProcess.RunSelf(["--child", _name, .. arguments], limit);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_folder is not null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
