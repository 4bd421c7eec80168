using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// A small Llama quantized to 8, 4, 3 and 2 bits by each method, and by methods one after the other: perplexity, and the share of what rounding to nearest loses that a method removes. Calibrated on the
/// first 128 stories (<c>--calibration N</c>), measured on the others (<c>--stories N</c>: on the first N of them) and, without that option, on all 300 too; <c>--iterations N</c> of learning rotations. <c>--only</c> names the formats, bits, s(ymmetric) or a(symmetric), block:
/// 4s32, 4a32, 4a16, 3s32, 3a32, 2s32, 2a32. Loss is what perplexity is above the float model's; "removed" is a share of what rounding to nearest loses in the same format.
/// <c>--methods</c> names some of the methods; <c>--propagation</c> strengths of GPTQ's error propagation to try beside its default, in percent.
/// </summary>
[Benchmark("lm-quality")]
public sealed class LmQuality : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "stories260K (--data FOLDER): 8 bit loses at most 0.2 %; at 4 bits each method removes a third of what rounding loses, at 3 and 2 half; the best 4-bit chain loses at most 2 %";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "lm"));
        var stories = (int)context.Option("stories", 0);
        var methods = context.Option("methods") is { } names ? names.Split(',') : [];
        int[] percents = [.. context.Option("propagation", "0,50").Split(',').Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
        var variants = Variants(context.Option("only", "4a32,4a16,3a32,2a32").Split(','), context.Option("iterations", 1500), percents, methods).ToList();
        var sets = StorySets.Split(context, Path.Combine(data, "tinystories_300.json"), (int)context.Option("calibration", 128), stories);
        var steps = string.Join('\n', variants.SelectMany(v => v.Steps).Select(s => "  - " + s));
        RecipeRun.Figures Measure(string set) => new RecipeRun(context).Build(
            $$"""
            model: {{data}}/stories260K.onnx
            data:
              calibration: { reader: tokens, file: {{sets["calibration"]}}, max_length: 512 }
              test: { reader: tokens, file: {{sets[set]}}, max_length: 512 }
            steps:
            {{steps}}
            evaluate: { data: test, metrics: [perplexity, size] }
            """,
            "lm-" + set);

        var figures = Measure("held-out");
        var all = stories == 0 ? Measure("all") : null;
        return Report(context, variants, figures, all);
    }

    private static Outcome Report(BenchmarkContext context, List<Variant> variants, RecipeRun.Figures figures, RecipeRun.Figures? all)
    {
        var model = figures["model", "perplexity"];
        var conditions = new List<Condition>();
        context.Log(string.Create(CultureInfo.InvariantCulture, $"| method | bits | perplexity | loss | removed | {(all is null ? "" : "all 300 | loss | ")}size |"));
        context.Log(string.Create(CultureInfo.InvariantCulture, $"| fp32 | 32 | {model:0.0000} | | | {(all is null ? "" : $"{all["model", "perplexity"]:0.0000} | | ")}{figures["model", "size"] / 1e6:0.00} MB |"));
        var best = (Loss: double.PositiveInfinity, Name: "");
        foreach (var variant in variants)
        {
            var perplexity = figures[variant.Id, "perplexity"];
            var loss = perplexity / model - 1;
            var rounded = variants.First(v => v.Bits == variant.Bits && v.IsSymmetric == variant.IsSymmetric && v.Block == variant.Block && v.Method == "rtn");
            var removed = 1 - loss / (figures[rounded.Id, "perplexity"] / model - 1);
            var more = all is null ? "" : string.Create(
                CultureInfo.InvariantCulture, $"{all[variant.Id, "perplexity"]:0.0000} | {100 * (all[variant.Id, "perplexity"] / all["model", "perplexity"] - 1):0.00} % | ");
            context.Log(string.Create(
                CultureInfo.InvariantCulture,
                $"| {variant.Title} | {variant.Bits} | {perplexity:0.0000} | {100 * loss:0.00} % | {100 * removed:0} % | {more}{figures[variant.Id, "size"] / 1e6:0.00} MB |"));
            if (variant.Bits == 8)
            {
                conditions.Add(new($"8 bit {variant.Title}: loss", 100 * loss, 0.2, "%"));
            }
            else if (variant is { Method: "gptq" or "awq" or "rotate", Block: 32 })
            {
                var least = variant.Bits == 4 ? 1 / 3d : 0.5;
                conditions.Add(new($"{variant.Bits} bit {variant.Title}: left of rounding's loss", 1 - removed, 1 - least, ""));
            }

            if (variant.Bits == 4 && loss < best.Loss)
            {
                best = (loss, variant.Title);
            }
        }

        context.Log($"best at 4 bits: {best.Name}");
        return new Outcome(100 * best.Loss, 2, "% lost by the best 4-bit chain") { Conditions = conditions };
    }

    private static IEnumerable<Variant> Variants(string[] only, long iterations, int[] strengths, string[] methods)
    {
        yield return Rounding(8, true, 32);
        foreach (var bits in new[] { 4, 3, 2 })
        {
            foreach (var symmetric in new[] { true, false })
            {
                foreach (var block in bits == 4 && !symmetric ? [32, 16] : new[] { 32 })
                {
                    var format = $"bits: {bits}, block_size: {block}, symmetric: {(symmetric ? "true" : "false")}";
                    var rest = $"{format}, accuracy_level: 0";
                    var suffix = $"{bits}{(symmetric ? "s" : "a")}{block}";
                    Variant Make(string method, params string[] steps) => new(method, bits, symmetric, block, suffix, steps);
                    var rounding = $"use: quantize.weights, with: {{ {rest}, embeddings: false }}";
                    var gptq = $"use: quantize.gptq, with: {{ data: calibration, {rest}, embeddings: false, clip: mse }}";
                    var scales = $"use: quantize.awq, with: {{ data: calibration, {rest}, quantize: false }}";
                    var rotation = $"use: quantize.rotate, with: {{ data: calibration, {format}, iterations: {iterations} }}";
                    var refined = $"use: quantize.awq, with: {{ data: calibration, {rest}, refinements: 20 }}";
                    var head = "use: quantize.weights, with: { bits: 8, block_size: 32, accuracy_level: 0, embeddings: false, include: [logits_MatMul] }";
                    var some = head.Replace("[logits_MatMul]", "[logits_MatMul, '*.k_MatMul', '*.v_MatMul']", StringComparison.Ordinal);
                    var awq = $"use: quantize.awq, with: {{ data: calibration, {rest} }}";
                    Variant[] made =
                    [
                        Make("rtn", rounding),
                        Make("awq", awq),
                        Make("gptq", gptq),
                        .. strengths.Select(a => Make($"gptq_qep{a}", gptq.Replace("clip: mse", $"clip: mse, error_propagation: {a / 100d}", StringComparison.Ordinal))),
                        Make("rotate", rotation, rounding),
                        Make("awq-gptq", scales, gptq),
                        Make("rotate-awq", rotation, awq),
                        Make("rotate-gptq", rotation, gptq),
                        Make("awq-refined", refined),
                        Make("rotate-awq-refined", rotation, refined),
                        Make("rotate-head8-awq-refined", rotation, head, refined),
                        Make("rotate-headkv8-awq-refined", rotation, some, refined),
                    ];
                    foreach (var variant in made.Where(v => v.Method == "rtn" || (only.Contains(suffix) && (methods.Length == 0 || methods.Contains(v.Method.Split('_')[0])))))
                    {
                        yield return variant;
                    }
                }
            }
        }
    }

    private static Variant Rounding(int bits, bool symmetric, int block) => new(
        "rtn", bits, symmetric, block, $"{bits}s{block}", [$"use: quantize.weights, with: {{ bits: {bits}, block_size: {block}, accuracy_level: 0, embeddings: false }}"]);

    /// <summary>One method, or several after one another.</summary>
    private sealed record Variant(string Method, int Bits, bool IsSymmetric, int Block, string Suffix, IReadOnlyList<string> Uses)
    {
        public string Id => $"{Method}-{Suffix}";

        public string Title => $"{Method.Replace('-', '+')} {(IsSymmetric ? "symmetric" : "asymmetric")} block {Block}";

        public IEnumerable<string> Steps => Uses.Select((use, i) =>
            $"{{ id: {(i == Uses.Count - 1 ? Id : $"{Id}-{i}")}, from: {(i == 0 ? "model" : $"{Id}-{i - 1}")}, {use} }}");
    }
}
