using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// The sentence encoder with a classifier on top, its layers factored at several sizes, by their weights alone and by what they read: share of mails told right, and how near the embeddings
/// stay.
/// </summary>
[Benchmark("encoder-lowrank")]
public sealed class EncoderLowRank : IBenchmark
{
    private static readonly (string Name, string Use, string Options)[] Methods =
    [
        ("svd", "lowrank.svd", ""),
        ("activation", "lowrank.activation", ", data: calibration, sequential: false"),
        ("sequential", "lowrank.activation", ", data: calibration"),
    ];

    /// <inheritdoc/>
    public string Summary =>
        "spam encoder (--data FOLDER) with 50, 30 and 20 % of its layers' parameters: activation-aware SVD beats plain SVD";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "encoder"));
        var ratios = context.Option("ratios", "50,30,20").Split(',').Select(r => int.Parse(r, CultureInfo.InvariantCulture)).ToArray();
        var steps =
            from ratio in ratios
            from method in Methods
            from target in new[] { "ratio", "budget" }
            select string.Create(
                CultureInfo.InvariantCulture, $"  - {{ id: {method.Name}-{target}-{ratio}, from: current, use: {method.Use}, with: {{ {target}: {ratio / 100.0}{method.Options} }} }}");
        var figures = new RecipeRun(context).Build(
            $$"""
            model: {{data}}/use_lite_en_spam.onnx
            data:
              test: { reader: tokens, file: {{data}}/spam_test_600.json, label: spam, input: input_ids, mask: attention_mask }
              calibration: { reader: tokens, file: {{data}}/spam_calib_1400.json, input: input_ids, mask: attention_mask, limit: {{context.Option("samples", "200")}} }
            steps:
              - { id: current, use: optimize.graph, with: { opset: 21 } }
            {{string.Join('\n', steps)}}
            evaluate: { data: test, metrics: [{ use: accuracy, output: 1 }, fidelity, parameters] }
            """,
            "encoder-lowrank");

        var conditions = new List<Condition>();
        var details = new List<Measured>();
        var worst = double.NegativeInfinity;
        foreach (var ratio in ratios)
        {
            foreach (var target in new[] { "ratio", "budget" })
            {
                string Id(string method) => string.Create(CultureInfo.InvariantCulture, $"{method}-{target}-{ratio}");
                foreach (var (method, _, _) in Methods)
                {
                    var accuracy = 100 * figures[Id(method), "accuracy"];
                    details.Add(new(Id(method), accuracy, accuracy, accuracy, string.Create(
                        CultureInfo.InvariantCulture,
                        $"% right (fp32 {100 * figures["model", "accuracy"]:0.0}); cosine {figures[Id(method), "fidelity_cosine"]:0.0000}, {figures[Id(method), "fidelity_sqnr_db"]:0.0} dB; {figures[Id(method), "parameters"] / 1e6:0.00} M parameters")));
                }

                // One mail of 600 is 0.17 points.
                conditions.Add(new($"{Id("svd")} over {Id("sequential")}: accuracy", 100 * (figures[Id("svd"), "accuracy"] - figures[Id("sequential"), "accuracy"]), 0, "points"));
                conditions.Add(new($"{Id("svd")} over {Id("activation")}: fidelity", figures[Id("svd"), "fidelity_sqnr_db"] - figures[Id("activation"), "fidelity_sqnr_db"], 0, "dB"));
                worst = Math.Max(worst, conditions[^1].Value);
            }
        }

        return new Outcome(worst, 0, "dB") { Conditions = conditions, Details = details };
    }
}
