using System.Globalization;
using System.Net;
using System.Text;
using Build.ML.Abstractions.Metrics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Reporting;

/// <summary>Quality over size, a point for each model: up and to the left is better.</summary>
/// <param name="Title">What is drawn.</param>
/// <param name="Svg">The drawing; its colours come from the page's style.</param>
internal sealed record TradeOffChart(string Title, string Svg)
{
    private const double Width = 760, Height = 340, Left = 76, Right = 24, Top = 20, Bottom = 48;
    private const double LabelHeight = 16, LabelWidth = 150;
    private const int MostTicks = 6;
    private const double LeastSpread = 1.05; // largest over smallest

    /// <summary>The chart; null where fewer than two models have both a size and a figure of quality.</summary>
    public static TradeOffChart? Of(EvaluationSet figures)
    {
        var values = figures.Names.Select(n => figures.Find(Recipe.SourceModel, n)?.Value).OfType<MetricValue>().ToList();
        // The first size that tells the models apart: pruning moves only that of compressed files.
        var sizes = values.Where(v => v is { Unit: "bytes", Direction: Direction.LowerIsBetter }).ToList();
        var size = sizes.Find(v => Spread(figures, v.Name) >= LeastSpread) ?? sizes.FirstOrDefault();
        var quality = values.Find(v => v.Unit == "ratio") ?? values.Find(v => v.Unit == "dB" && double.IsFinite(v.Value));
        if (size is null || quality is null)
        {
            return null;
        }

        var points = figures.Models
            .Select(m => (Model: m, Size: figures.Find(m, size.Name)?.Value, Quality: figures.Find(m, quality.Name)?.Value))
            .Where(p => p.Size is not null && p.Quality is not null && double.IsFinite(p.Size.Value) && double.IsFinite(p.Quality.Value))
            .Select(p => new Point(p.Model, p.Size!, p.Quality!)).ToList();
        return points.Count < 2 ? null : new($"{quality.Name} over {size.Name}", Draw(points, size.Name, quality.Name));
    }

    private static string Draw(List<Point> points, string xName, string yName)
    {
        var (xs, right) = Ticks(0, points.Max(p => p.Size.Value));
        var (low, high) = (points.Min(p => p.Quality.Value), points.Max(p => p.Quality.Value));
        (var ys, high) = Ticks(low, high > low ? high : low + (Math.Max(Math.Abs(low), 1) * 0.1));
        low = ys[0];
        var svg = new StringBuilder();
        svg.Append(Invariant($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Escape(yName)} over {Escape(xName)}\">\n"));
        foreach (var tick in ys)
        {
            svg.Append(Invariant($"<line class=\"grid\" x1=\"{Left}\" y1=\"{Y(tick):0.#}\" x2=\"{Width - Right}\" y2=\"{Y(tick):0.#}\"/>"))
                .Append(Invariant($"<text class=\"tick\" x=\"{Left - 8}\" y=\"{Y(tick) + 4:0.#}\" text-anchor=\"end\">{Escape(Text(points[0].Quality, tick))}</text>\n"));
        }

        foreach (var tick in xs)
        {
            svg.Append(Invariant($"<text class=\"tick\" x=\"{X(tick):0.#}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{Escape(Text(points[0].Size, tick))}</text>\n"));
        }

        svg.Append(Invariant($"<text class=\"axis\" x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">{Escape(xName)}</text>\n"));
        var labels = new List<(double X, double Y)>();
        foreach (var point in points.OrderBy(p => Y(p.Quality.Value)).ThenBy(p => p.Model, StringComparer.Ordinal))
        {
            var (x, y) = (X(point.Size.Value), Y(point.Quality.Value));
            var at = y + 4;
            // Labels of points that lie close together go below one another.
            while (labels.Exists(l => Math.Abs(l.X - x) < LabelWidth && Math.Abs(l.Y - at) < LabelHeight))
            {
                at += LabelHeight;
            }

            labels.Add((x, at));
            var isRight = x > Width - Right - LabelWidth;
            svg.Append(Invariant($"<circle class=\"{(point.Model == Recipe.SourceModel ? "source" : "step")}\" cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"6\">"))
                .Append($"<title>{Escape(point.Model)}: {Escape(FigureFormat.Of(point.Quality))}, {Escape(FigureFormat.Of(point.Size))}</title></circle>")
                .Append(Invariant($"<text class=\"label\" x=\"{x + (isRight ? -11 : 11):0.#}\" y=\"{at:0.#}\" text-anchor=\"{(isRight ? "end" : "start")}\">{Escape(point.Model)}</text>\n"));
        }

        return svg.Append("</svg>\n").ToString();

        double X(double value) => Left + (value / right * (Width - Left - Right));

        double Y(double value) => Height - Bottom - ((value - low) / (high - low) * (Height - Top - Bottom));
    }

    private static double Spread(EvaluationSet figures, string name)
    {
        var values = figures.Models.Select(m => figures.Find(m, name)?.Value.Value).OfType<double>().Where(v => v > 0).ToList();
        return values.Count == 0 ? 0 : values.Max() / values.Min();
    }

    // Steps of 1, 2 or 5 times a power of ten; the first tick is not above, the last not below what is to be shown.
    private static (List<double> Values, double Last) Ticks(double low, double high)
    {
        var rough = (high - low) / (MostTicks - 1);
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        var (first, last) = (Math.Floor((low / step) + 1e-9), Math.Ceiling((high / step) - 1e-9));
        var values = new List<double>();
        for (var i = first; i <= last; i++)
        {
            values.Add(Math.Round(i * step, 12));
        }

        return (values, values[^1]);
    }

    private static string Text(MetricValue like, double value) => FigureFormat.Of(like with { Value = value });

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Point(string Model, MetricValue Size, MetricValue Quality);
}
