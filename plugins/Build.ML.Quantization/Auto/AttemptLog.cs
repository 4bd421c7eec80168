using System.Collections.Immutable;

namespace Build.ML.Quantization.Auto;

/// <summary>What was tried and how it went. Failures are kept in files, so that a step that was killed does not try them again.</summary>
/// <param name="directory">The step's checkpoint folder; empty for none.</param>
internal sealed class AttemptLog(string directory)
{
    private readonly List<string> _lines = [];

    /// <summary>One sentence an attempt, in order.</summary>
    public ImmutableArray<string> Lines => [.. _lines];

    /// <summary>Number of attempts so far.</summary>
    public int Count => _lines.Count;

    /// <summary>How an attempt failed before the step was killed, or null.</summary>
    public string? FailureOf(string name) => directory.Length > 0 && File.Exists(PathOf(name)) ? File.ReadAllText(PathOf(name)) : null;

    /// <summary>Notes an outcome.</summary>
    public void Add(string name, string outcome) => _lines.Add($"{name} {outcome}.".Replace("..", ".", StringComparison.Ordinal));

    /// <summary>Notes a failure and keeps it.</summary>
    public void Fail(string name, string outcome)
    {
        Add(name, outcome);
        if (directory.Length == 0)
        {
            return;
        }

        var temporary = PathOf(name) + ".tmp";
        File.WriteAllText(temporary, outcome);
        File.Move(temporary, PathOf(name), overwrite: true);
    }

    private string PathOf(string name) => Path.Combine(directory, $"attempt-{name}.txt");
}
