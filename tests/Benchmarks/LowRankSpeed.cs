using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Benchmarks;

/// <summary>What half of the parameters of an encoder's layers saves in the time of these layers: 128 tokens, one thread.</summary>
[Benchmark("lowrank-speed")]
public sealed class LowRankSpeed : IBenchmark
{
    private const int Length = 128;

    /// <inheritdoc/>
    public string Summary => "an encoder of 4 layers (d 512, 128 tokens) with half of its layers' parameters by lowrank.svd: the layers run at least 1.7 times as fast";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var figures = new RecipeRun(context).Build(
            $$"""
            model: { architecture: bert, layers: 4, hidden: 512, heads: 8, intermediate: 2048, vocabulary: 8192, length: {{Length}}, classes: 2 }
            steps:
              - { id: whole, use: optimize.graph }
              - { id: narrow, use: lowrank.svd, with: { ratio: 0.5, rank_multiple: 8, exclude: [classifier*] } }
            """,
            "speed");
        var names = figures.LayersOf("narrow").Where(l => l.Outcome == "factored").Select(l => l.Layer).ToHashSet();
        names.UnionWith(names.Select(n => n + "_down").ToArray());
        using var whole = Model.Open(figures.ModelOf("whole"));
        using var narrow = Model.Open(figures.ModelOf("narrow"));
        var sides = Interleaved.Run(
            (int)context.Option("rounds", 9), "ms", ("layers whole", () => Time(whole, names, false)), ("layers in two parts", () => Time(narrow, names, false)),
            ("model whole", () => Time(whole, null, true)), ("model in two parts", () => Time(narrow, null, true)));
        return new Outcome(sides[1].Median / sides[0].Median, 1 / 1.7, "x whole")
        {
            Details = [.. sides, new("layers: times as fast", sides[0].Median / sides[1].Median, 0, 0, "x"), new("model: times as fast", sides[2].Median / sides[3].Median, 0, 0, "x")],
        };
    }

    // Kernels of the layers, unfused so that each keeps its name; or of all nodes as the runtime fuses them.
    private static double Time(Model model, HashSet<string>? names, bool optimize)
    {
        ImmutableArray<KeyValuePair<string, Tensor>> feeds =
        [
            .. model.Graph.Inputs.Select(i => KeyValuePair.Create(
                i.Name, Tensor.Of(Enumerable.Range(0, Length).Select(k => i.Name.Contains("mask", StringComparison.Ordinal) ? 1L : 7 * k % 8000).ToArray(), 1, Length))),
        ];
        var nodes = new OnnxRuntimeInference().Profile(model, [.. Enumerable.Repeat(feeds, 8)], new InferenceOptions { Optimize = optimize }).Nodes;
        var timed = nodes.Where(n => names is null || names.Contains(n.Name)).ToArray();
        return timed.Length >= (names?.Count(n => model.Graph.Nodes.Any(g => g.Name == n)) ?? 1) ? 1000 * timed.Sum(n => n.Seconds)
            : throw new InvalidOperationException($"The runtime told the time of {timed.Length} of {names!.Count} nodes.");
    }
}
