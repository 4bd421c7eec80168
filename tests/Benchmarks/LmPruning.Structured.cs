using System.Globalization;
using System.Text.Json;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// Heads, neurons, width and layers removed. Distillation trains on windows of 128 tokens of the calibration stories, without labels (<c>--epochs N</c>). <c>--sparsities 25,50</c> names the
/// percentages of heads and neurons that go.
/// </summary>
public sealed partial class LmPruning
{
    private const int Window = 128;

    partial void Structured(Stories stories, List<Condition> conditions)
    {
        int[] percents = [.. stories.Context.Option("sparsities", "25,50").Split(',').Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
        var variants = percents.SelectMany(HeadsAndNeurons).Concat(Minitron(stories.Context.Option("epochs", 30))).ToList();
        var figures = (stories with { Training = Windows(stories) }).Build("lm-structured", variants.SelectMany(v => v.Steps));
        stories.Log($"| method | perplexity | size |");
        stories.Log($"| the model | {figures["model", "perplexity"]:0.000} | {figures["model", "size"] / 1e6:0.000} MB |");
        foreach (var variant in variants)
        {
            stories.Log($"| {variant.Title} | {figures[variant.Id, "perplexity"]:0.000} | {figures[variant.Id, "size"] / 1e6:0.000} MB |");
        }

        foreach (var percent in percents)
        {
            foreach (var rival in new[] { "l2", "l2-mended" })
            {
                Below($"newton, compensated, {percent} % against {rival}", $"newton-mended-{percent}", $"{rival}-{percent}");
            }
        }

        Below("Minitron against pruning alone", "minitron", "minitron-pruned");
        Below("Minitron against pruning alone with compensation", "minitron", "minitron-mended");

        void Below(string name, string one, string other)
        {
            conditions.Add(new($"{name}: perplexity", figures[one, "perplexity"], figures[other, "perplexity"], ""));
            if (Math.Abs(figures[one, "size"] / figures[other, "size"] - 1) > 0.001)
            {
                throw new InvalidOperationException($"{one} and {other} are not of one size.");
            }
        }
    }

    private static IEnumerable<Variant> HeadsAndNeurons(int percent)
    {
        foreach (var importance in new[] { "l2", "activation", "newton" })
        {
            foreach (var isMended in new[] { false, true })
            {
                var with = $"with: {{ sparsity: {percent / 100d}, scope: layer, round_to: 1, importance: {importance}, data: calibration{(isMended ? ", compensate: least_squares" : "")} }}";
                yield return new($"{importance}{(isMended ? "-mended" : "")}-{percent}", $"`{importance}`{(isMended ? ", least squares" : "")}, {percent} % of heads and neurons",
                    [$"use: prune.heads, {with}", $"use: prune.neurons, {with}"]);
            }
        }
    }

    // Muralidharan et al. 2024: width by activations, one layer of five by what the metric loses, then distillation from the original.
    private static IEnumerable<Variant> Minitron(long epochs)
    {
        string[] Pruned(string importance, string more)
        {
            string With(string sparsity) => $"with: {{ sparsity: {sparsity}, scope: layer, round_to: 1, importance: {importance}, data: calibration{more} }}";
            return
            [
                "use: prune.layers, with: { count: 1, importance: { use: metric, metric: perplexity }, data: calibration }",
                $"use: prune.heads, {With("0.25")}", $"use: prune.neurons, {With("0.25")}", $"use: prune.channels, {With("0.125")}",
            ];
        }

        var pruned = Pruned("activation", "");
        yield return new("minitron-pruned", "width and depth by activations", pruned);
        yield return new("minitron-mended", "width and depth by `newton`, least squares", [.. Pruned("newton", ", compensate: least_squares")]);
        yield return new(
            "minitron", "width and depth by activations, then `distill.logits` (Minitron)",
            [.. pruned, $"use: distill.logits, with: {{ teacher: model, data: training, label_weight: 0, temperature: 1, epochs: {epochs}, batch_size: 16, optimizer: {{ use: adamw, learning_rate: 0.002 }}, schedule: cosine }}"]);
    }

    private static string Windows(Stories stories)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(stories.Sets["calibration"]));
        var windows = document.RootElement.EnumerateArray().SelectMany(s => s.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()).Chunk(Window)).Where(w => w.Length == Window);
        var path = Path.Combine(stories.Context.Folder, "windows.json");
        File.WriteAllText(path, "[" + string.Join(",\n", windows.Select(w => $"{{\"ids\":[{string.Join(',', w)}]}}")) + "]");
        return path;
    }

    /// <summary>Steps one after the other.</summary>
    private sealed record Variant(string Id, string Title, IReadOnlyList<string> Uses)
    {
        public IEnumerable<string> Steps => Uses.Select((use, i) =>
            $"{{ id: {(i == Uses.Count - 1 ? Id : $"{Id}-{i}")}, from: {(i == 0 ? "model" : $"{Id}-{i - 1}")}, {use} }}");
    }
}
