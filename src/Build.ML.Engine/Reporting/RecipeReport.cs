using System.Globalization;
using System.Text;
using Build.ML.Engine.Work;
using Build.ML.Recipes;

namespace Build.ML.Engine.Reporting;

/// <summary>The table of a recipe: the source model, and each measured step beside it.</summary>
internal sealed class RecipeReport(Recipe recipe, EvaluationSet figures, IReadOnlyDictionary<string, StepReport> steps)
{
    /// <summary>The recipe.</summary>
    public Recipe Recipe => recipe;

    /// <summary>What was measured.</summary>
    public EvaluationSet Figures => figures;

    /// <summary>What the techniques said, by step id.</summary>
    public IReadOnlyDictionary<string, StepReport> Steps => steps;

    /// <summary>The gates, in the order of the recipe.</summary>
    public IReadOnlyList<GateCheck> Gates { get; } = [.. recipe.Gates.Select(g => GateCheck.Of(g, figures, recipe.Steps[^1].Id))];

    /// <summary>Aligned plain text.</summary>
    public string ToText()
    {
        var rows = Rows();
        var widths = Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            var cells = row.Select((cell, c) => c == 0 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]));
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }

        foreach (var line in Remarks())
        {
            text.Append(line).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>The same as Markdown.</summary>
    public string ToMarkdown()
    {
        var rows = Rows();
        var text = new StringBuilder();
        for (var i = 0; i < rows.Count; i++)
        {
            text.Append("| ").AppendJoin(" | ", rows[i].Select(c => c.Replace("|", "\\|", StringComparison.Ordinal))).Append(" |\n");
            if (i == 0)
            {
                text.Append('|').Append("---|").Insert(text.Length, "---:|", rows[0].Length - 1).Append('\n');
            }
        }

        foreach (var line in Remarks())
        {
            text.Append("\n- ").Append(line);
        }

        return text.Append('\n').ToString();
    }

    private List<string[]> Rows()
    {
        var names = figures.Names;
        var rows = new List<string[]> { (string[])[recipe.Name, .. names] };
        foreach (var model in figures.Models)
        {
            var label = model == Recipe.SourceModel ? "model (source)" : $"{model} ({recipe.StepNamed(model).Technique})";
            rows.Add([label, .. names.Select(name => Cell(model, name))]);
        }

        return rows;
    }

    private string Cell(string model, string name)
    {
        if (figures.Find(model, name) is not { } figure)
        {
            return "-";
        }

        var text = FigureFormat.Of(figure.Value);
        return model != Recipe.SourceModel && figures.SourceFor(model, name) is { } source
            ? $"{text} {FigureFormat.Compare(figure.Value, source)}".TrimEnd()
            : text;
    }

    private IEnumerable<string> Remarks()
    {
        foreach (var step in recipe.Steps)
        {
            var report = steps[step.Id];
            if (!report.Layers.IsEmpty)
            {
                var counts = report.Layers.CountBy(l => l.Outcome).OrderBy(c => c.Key, StringComparer.Ordinal)
                    .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key}"));
                yield return $"{step.Id}: {string.Join(", ", counts)}";
            }

            foreach (var note in report.Notes)
            {
                yield return $"{step.Id}: {note}";
            }
        }

        foreach (var name in figures.Names)
        {
            var notes = figures.NotesOf(name);
            if (notes.Count > 0)
            {
                yield return $"{name}: {string.Join("; ", notes)}";
            }
        }

        var paired = figures.Names.Where(n => figures.Models.Any(m => figures.Find(m, n)?.Value is { SourceValue: not null, Unit: "s" or "J" or "1/s" })).ToArray();
        if (paired.Length > 0)
        {
            yield return $"{string.Join(", ", paired)}: each ratio is to the source model run in turns with that step's, so it holds although the machine's speed varies.";
        }

        foreach (var gate in Gates)
        {
            yield return $"gate {gate.Line}";
        }
    }
}
