using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>A text encoder with a classifier on top, quantized to 8 and 4 bits: share of mails told right, and bytes of the weights quantized.</summary>
[Benchmark("encoder-quality")]
public sealed class EncoderQuality : IBenchmark
{
    private static readonly (string Step, string Use, double Size)[] Variants =
    [
        ("dynamic", "quantize.dynamic", 0.27),
        ("weights8", "quantize.weights, with: { bits: 8, block_size: 128 }", 0.27),
        ("weights4", "quantize.weights, with: { block_size: 32 }", 0.17),
        ("clipped4", "quantize.weights, with: { block_size: 32, clip: mse }", 0.17),
    ];

    /// <inheritdoc/>
    public string Summary => "spam encoder (--data FOLDER): int8 and 4 bit lose at most 0.5 points, at 27 % and 17 % of the weights quantized";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "encoder"));
        var steps = string.Join('\n', Variants.Select(v => $"  - {{ id: {v.Step}, from: current, use: {v.Use} }}"));
        var figures = new RecipeRun(context).Build(
            $$"""
            model: {{data}}/use_lite_en_spam.onnx
            data:
              test: { reader: tokens, file: {{data}}/spam_test_600.json, label: spam, input: input_ids, mask: attention_mask }
            steps:
              - { id: current, use: optimize.graph, with: { opset: 21 } }
            {{steps}}
            evaluate: { data: test, metrics: [{ use: accuracy, output: 1 }, size] }
            """,
            "encoder");
        var before = figures["model", "accuracy"];
        var conditions = new List<Condition>();
        var details = new List<Measured>();
        foreach (var (step, _, size) in Variants)
        {
            var accuracy = figures[step, "accuracy"];
            conditions.Add(new($"{step}: points lost", 100 * (before - accuracy), 0.5, "points"));
            conditions.Add(new($"{step}: size", SizeOfQuantized(figures, step), size, "of the weights quantized"));
            details.Add(new($"{step}: accuracy", accuracy, accuracy, accuracy, $"(fp32 {before:0.####})"));
            details.Add(new($"{step}: file", figures[step, "size"] / figures["model", "size"], 0, 0, "of the fp32 file"));
        }

        return new Outcome(conditions.Where(c => c.Unit == "points").Max(c => c.Value), 0.5, "points") { Conditions = conditions, Details = details };
    }

    // Integers, scales and zero points of the layers quantized over the bytes these had in fp32.
    private static double SizeOfQuantized(RecipeRun.Figures figures, string step)
    {
        using var model = Graph.Model.Open(figures.ModelOf(step));
        var layers = new Engine.Inspection.QuantizationInspection(new OnnxRuntime.OnnxRuntimeInference()).Layers(model).Where(l => l.IsQuantized).ToList();
        return layers.Sum(l => l.Bytes) / (4.0 * layers.Sum(l => l.Elements));
    }
}
