using System.Collections.Immutable;
using Build.ML.Engine.Evaluation;
using Build.ML.Recipes;

namespace Build.ML.Engine.Reporting;

/// <summary>The figures of a recipe's models.</summary>
internal sealed class EvaluationSet(IEnumerable<KeyValuePair<string, ImmutableArray<Measurement>>> figures)
{
    private readonly Dictionary<string, Dictionary<string, Measurement>> _figures =
        figures.ToDictionary(f => f.Key, f => f.Value.ToDictionary(m => m.Value.Name, StringComparer.Ordinal), StringComparer.Ordinal);

    /// <summary><c>model</c>, then the measured steps in the order of the recipe.</summary>
    public IEnumerable<string> Models => _figures.Keys;

    /// <summary>Names of all figures, in the order of the recipe.</summary>
    public IReadOnlyList<string> Names => [.. _figures.Values.SelectMany(f => f.Keys).Distinct()];

    /// <summary>A figure of a model; null when it was not taken.</summary>
    public Measurement? Find(string model, string name) => _figures.GetValueOrDefault(model)?.GetValueOrDefault(name);

    /// <summary>The source model's figure to compare a model's with: the one taken in the same run where there is one, else the one of its own evaluation.</summary>
    public double? SourceFor(string model, string name) => Find(model, name)?.Value.SourceValue ?? Find(Recipe.SourceModel, name)?.Value.Value;

    /// <summary>
    /// A model's figure as another model's run would have given it. Times of two runs compare only as far as the machine was equally fast in both; the source model
    /// ran in turns with each, so its figures of the two runs say how much faster the machine was: <c>value · source beside other / source beside model</c>.
    /// Figures that do not depend on the machine stay as they are.
    /// </summary>
    /// <param name="model">Whose figure.</param>
    /// <param name="name">Name of the figure.</param>
    /// <param name="other">The model whose run counts.</param>
    /// <returns>Null when the figure was not taken.</returns>
    public double? BesideRunOf(string model, string name, string other)
    {
        var own = Find(model, name);
        return own is { DependsOnMachine: true, Value.SourceValue: > 0 and var here } && Find(other, name)?.Value.SourceValue is > 0 and var there
            ? own.Value.Value * (there / here)
            : own?.Value.Value;
    }

    /// <summary>How a figure was measured: what the measurements of all models note, without repetition.</summary>
    public IReadOnlyList<string> NotesOf(string name) =>
        [.. Models.Select(m => Find(m, name)?.Value.Note).OfType<string>().Where(n => n.Length > 0).Distinct()];
}
