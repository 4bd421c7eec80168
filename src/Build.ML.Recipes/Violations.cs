using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Collects everything wrong with a recipe, so that a user sees it all at once.</summary>
internal sealed class Violations
{
    // What a user still reads; a mutated file may hold a violation in every line.
    private const int MaximumReported = 200;

    private readonly HashSet<Diagnostic> _seen = []; // an aliased node is checked wherever it is used, and reported once
    private readonly List<Diagnostic> _all = [];

    /// <summary>Times that something was wrong; also grows when the same thing is reported again, so that a caller sees that its part failed.</summary>
    internal int Count { get; private set; }

    internal void Add(string code, YamlNode place, string message) => Add(new Diagnostic(code, message, place.Location));

    internal void Add(Diagnostic diagnostic)
    {
        Count++;
        if (_all.Count < MaximumReported && _seen.Add(diagnostic))
        {
            _all.Add(diagnostic);
        }
    }

    internal void Add(DiagnosticException exception)
    {
        foreach (var diagnostic in exception.Diagnostics)
        {
            Add(diagnostic);
        }
    }

    /// <summary>See <see cref="Suggestion.For"/>; nothing once enough is reported.</summary>
    internal string Suggest(string name, IEnumerable<string> known) => _all.Count < MaximumReported ? Suggestion.For(name, known) : "";

    /// <summary>All of them by file, in the order of reading, and place.</summary>
    internal DiagnosticException ToException(IReadOnlyList<string> files) => new(
        [.. _all.OrderBy(d => IndexOf(files, d.Location?.File)).ThenBy(d => d.Location?.Line).ThenBy(d => d.Location?.Column)]);

    private static int IndexOf(IReadOnlyList<string> files, string? file)
    {
        for (var i = 0; i < files.Count; i++)
        {
            if (files[i] == file)
            {
                return i;
            }
        }

        return files.Count;
    }
}
