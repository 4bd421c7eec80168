using System.Globalization;
using System.Net;
using System.Text;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Stores;
using Build.ML.Engine.Work;
using Build.ML.Recipes;

namespace Build.ML.Engine.Reporting;

/// <summary>
/// The report of a recipe as one HTML page without scripts or anything to fetch. The same results give the same bytes: no time and no path enters.
/// </summary>
/// <param name="report">The report.</param>
/// <param name="models">The files of each step's model, by step id.</param>
internal sealed class ReportPage(RecipeReport report, IReadOnlyDictionary<string, IReadOnlyList<StoredFile>> models)
{
    private readonly StringBuilder _page = new();

    private Recipe Recipe => report.Recipe;

    private EvaluationSet Figures => report.Figures;

    /// <summary>The page.</summary>
    public string Write()
    {
        _page.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n")
            .Append($"<title>{Escape(Recipe.Name)} - Build.ML report</title>\n<style>\n{ReportStyle.Css}</style>\n</head>\n<body>\n<main>\n");
        Head();
        Measured();
        _page.Append(TradeOffChart.Of(Figures) is { } chart ? $"<h2>{Escape(chart.Title)}</h2>\n{chart.Svg}" : "");
        Gates();
        Steps();
        Contents();
        return _page.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private void Head()
    {
        var failed = report.Gates.Count(g => g.Failure is not null);
        var verdict = report.Gates.Count == 0 ? "<span class=\"mark\">no gates</span>"
            : failed == 0 ? $"<span class=\"mark good\">{Count(report.Gates.Count, "gate")} held</span>"
            : $"<span class=\"mark bad\">{failed} of {Count(report.Gates.Count, "gate")} failed</span>";
        _page.Append($"<h1>{Escape(Recipe.Name)} {verdict}</h1>\n");
        _page.Append($"<p class=\"chain\">{Recipe.SourceModel}");
        var before = Recipe.SourceModel;
        foreach (var step in Recipe.Steps)
        {
            _page.Append(step.From == before ? " &rarr; " : $"; {Escape(step.From)} &rarr; ").Append($"{Escape(step.Id)} <small>{Escape(step.Technique)}</small>");
            before = step.Id;
        }

        _page.Append("</p>\n");
    }

    private void Measured()
    {
        var names = Figures.Names;
        _page.Append("<h2>Measured</h2>\n<div class=\"wide\"><table>\n<thead class=\"names\"><tr><th>model</th>");
        foreach (var name in names)
        {
            _page.Append($"<th class=\"number\">{Escape(name).Replace("_", "_<wbr>", StringComparison.Ordinal)}</th>");
        }

        _page.Append("</tr></thead>\n<tbody>\n");
        foreach (var model in Figures.Models)
        {
            var technique = model == Recipe.SourceModel ? "source" : Recipe.StepNamed(model).Technique;
            _page.Append($"<tr><th>{Escape(model)} <small>{Escape(technique)}</small></th>");
            foreach (var name in names)
            {
                _page.Append($"<td class=\"number\">{Cell(model, name)}</td>");
            }

            _page.Append("</tr>\n");
        }

        _page.Append("</tbody>\n</table></div>\n");
        var notes = names.Select(n => (Name: n, Notes: Figures.NotesOf(n))).Where(n => n.Notes.Count > 0).ToList();
        if (notes.Count > 0)
        {
            List(notes.Select(n => $"<b>{Escape(n.Name)}</b>: {Escape(string.Join("; ", n.Notes))}"));
        }
    }

    private string Cell(string model, string name)
    {
        if (Figures.Find(model, name)?.Value is not { } value)
        {
            return "-";
        }

        var text = Escape(FigureFormat.Of(value));
        if (model == Recipe.SourceModel || Figures.SourceFor(model, name) is not { } source)
        {
            return text;
        }

        var comparison = FigureFormat.Compare(value, source).Trim('(', ')');
        if (comparison.Length == 0)
        {
            return text;
        }

        var isBetter = value.Direction == Direction.HigherIsBetter ? value.Value > source : value.Value < source;
        var look = comparison == "=" || value.Value == source || double.IsNaN(value.Value) || double.IsNaN(source) ? "" : isBetter ? " class=\"good\"" : " class=\"bad\"";
        return $"{text}<br><small{look}>{Escape(comparison)}</small>";
    }

    private void Gates()
    {
        if (report.Gates.Count == 0)
        {
            return;
        }

        _page.Append("<h2>Gates</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>gate</th><th class=\"number\">actual</th>"
            + "<th class=\"number\">required</th><th></th></tr></thead>\n<tbody>\n");
        foreach (var gate in report.Gates)
        {
            var result = gate.Result;
            _page.Append($"<tr><td><code>{Escape(result.Gate.Text)}</code></td><td class=\"number\">{Number(result.Actual)}</td>")
                .Append($"<td class=\"number\">{Escape(result.Comparison)} {Number(result.Required)}</td>")
                .Append(gate.Failure is null ? "<td class=\"good\">holds</td></tr>\n"
                    : double.IsNaN(result.Actual) || double.IsNaN(result.Required) ? "<td class=\"bad\">not measured</td></tr>\n"
                    : "<td class=\"bad\">fails</td></tr>\n");
        }

        _page.Append("</tbody>\n</table></div>\n");
    }

    private void Steps()
    {
        _page.Append("<h2>Steps</h2>\n");
        foreach (var step in Recipe.Steps)
        {
            var said = report.Steps[step.Id];
            _page.Append($"<h3>{Escape(step.Id)} <small>{Escape(step.Technique)}</small></h3>\n");
            if (said.Notes.IsEmpty && said.Layers.IsEmpty)
            {
                _page.Append("<p>Nothing to say.</p>\n");
            }

            if (!said.Notes.IsEmpty)
            {
                List(said.Notes.Select(Escape));
            }

            if (!said.Layers.IsEmpty)
            {
                Layers(said);
            }
        }
    }

    private void Layers(StepReport said)
    {
        var counts = said.Layers.CountBy(l => l.Outcome).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} {c.Key}");
        var figures = said.Layers.SelectMany(l => l.Figures).Select(f => f.Key).Distinct().ToList();
        var hasKernels = said.Layers.Any(l => l.Kernel.Length > 0);
        _page.Append($"<details><summary>{Escape(string.Join(", ", counts))} of {Count(said.Layers.Length, "layer")}</summary>\n")
            .Append("<div class=\"wide\"><table>\n<thead><tr><th>layer</th><th>operator</th><th>outcome</th>")
            .Append(hasKernels ? "<th>kernel</th>" : "");
        figures.ForEach(f => _page.Append($"<th class=\"number\">{Escape(f)}</th>"));
        _page.Append("<th>reason</th></tr></thead>\n<tbody>\n");
        foreach (var layer in said.Layers)
        {
            _page.Append($"<tr><td>{Escape(layer.Layer)}</td><td>{Escape(layer.OpType)}</td><td>{Escape(layer.Outcome)}</td>")
                .Append(hasKernels ? $"<td>{Escape(layer.Kernel)}</td>" : "");
            figures.ForEach(f => _page.Append($"<td class=\"number\">{FigureOf(layer, f)}</td>"));
            _page.Append($"<td>{Escape(layer.Reason)}</td></tr>\n");
        }

        _page.Append("</tbody>\n</table></div>\n</details>\n");
    }

    private void Contents()
    {
        _page.Append("<h2>Files</h2>\n<p>What decided each of them is in the <code>fingerprint.txt</code> beside it; "
            + "<code>buildml explain</code> compares that with what would decide it now.</p>\n<div class=\"wide\"><table>\n"
            + "<thead><tr><th>file</th><th class=\"number\">bytes</th><th>SHA-256</th></tr></thead>\n<tbody>\n");
        foreach (var step in Recipe.Steps)
        {
            foreach (var file in models[step.Id])
            {
                _page.Append($"<tr><td>{Escape(step.Id)}/{Escape(file.Name)}</td>")
                    .Append(CultureInfo.InvariantCulture, $"<td class=\"number\">{file.Size:N0}</td><td><code>{file.Sha256}</code></td></tr>\n");
            }
        }

        _page.Append("</tbody>\n</table></div>\n");
    }

    private static string FigureOf(LayerOutcome layer, string name)
    {
        foreach (var (key, value) in layer.Figures)
        {
            if (key == name)
            {
                return Number(value);
            }
        }

        return "";
    }

    private void List(IEnumerable<string> items)
    {
        _page.Append("<ul>\n");
        foreach (var item in items)
        {
            _page.Append($"<li>{item}</li>\n");
        }

        _page.Append("</ul>\n");
    }

    private static string Number(double value) =>
        value.ToString(Math.Abs(value) is >= 1e5 and < 1e15 ? "N0" : "G6", CultureInfo.InvariantCulture);

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : string.Create(CultureInfo.InvariantCulture, $"{count} {what}s");
}
