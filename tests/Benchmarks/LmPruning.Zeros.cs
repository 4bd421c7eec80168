using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>Zeros in place: magnitude, Wanda, SparseGPT; budgets.</summary>
public sealed partial class LmPruning
{
    private static readonly string[] Methods = ["magnitude", "wanda", "sparsegpt"];

    private static void Zeros(Stories stories, List<Condition> conditions)
    {
        var (half, pattern) = ("sparsity: 0.5", "pattern: '2:4'");
        var variants = new List<(string Id, string Title, string Use)>();
        foreach (var method in Methods)
        {
            variants.Add(($"{method}-50", $"`{method}`, 50 %", Use(method, half)));
            variants.Add(($"{method}-24", $"`{method}`, 2:4", Use(method, pattern)));
            variants.AddRange(Budgets(method).Select(b => ($"{method}-{b.Name}", $"`{method}`, 50 %, budget `{b.Name}`", Use(method, $"{half}, budget: {b.Yaml}"))));
        }

        var figures = stories.Build("lm-zeros", variants.Select(v => $"{{ id: {v.Id}, from: model, {v.Use} }}"));
        stories.Log($"| method | perplexity | gzip_size |");
        stories.Log($"| the model | {figures["model", "perplexity"]:0.000} | {figures["model", "gzip_size"] / 1e6:0.00} MB |");
        foreach (var (id, title, _) in variants)
        {
            stories.Log($"| {title} | {figures[id, "perplexity"]:0.000} | {figures[id, "gzip_size"] / 1e6:0.00} MB |");
        }

        foreach (var form in new[] { "50", "24" })
        {
            foreach (var method in Methods[1..])
            {
                conditions.Add(new($"{method} {form}: perplexity", figures[$"{method}-{form}", "perplexity"], figures[$"magnitude-{form}", "perplexity"], ""));
            }
        }
    }

    private static string Use(string method, string options) =>
        $"use: prune.{method}, with: {{ {options}{(method == "magnitude" ? "" : ", data: calibration")} }}";

    // Those that measure take a run of the model for each layer and more: with one method.
    private static IEnumerable<(string Name, string Yaml)> Budgets(string method)
    {
        yield return ("erk", "erk");
        if (method == "wanda")
        {
            yield return ("ecoflap", "{ use: ecoflap, data: calibration, samples: 64, losses: [{ use: next_token, pad_token: 0 }], buckets: { multiple: 64 } }");
            yield return ("sensitivity", "{ use: sensitivity, data: calibration, samples: 8 }");
        }
    }
}
