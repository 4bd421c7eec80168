using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// A text encoder of two layers with a classifier on top: the layers that are alike (both feed-forward parts; the attentions differ in width) share one set of weights and are recovered by
/// distillation from the encoder as it was, without labels, on 1,400 mails (<c>--epochs N</c>); share of 600 other mails told right.
/// </summary>
[Benchmark("encoder-sharing")]
public sealed class EncoderSharing : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "spam encoder (--data FOLDER): a tied pair of layers recovered by distillation to within 1 point";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "encoder"));
        var figures = new RecipeRun(context).Build(
            $$"""
            model: {{data}}/use_lite_en_spam.onnx
            data:
              train: { reader: tokens, file: {{data}}/spam_calib_1400.json, input: input_ids, mask: attention_mask, max_length: 128, pad_to: 128 }
              test: { reader: tokens, file: {{data}}/spam_test_600.json, label: spam, input: input_ids, mask: attention_mask }
            steps:
              - { id: tied, use: share.layers, with: { start: first } }
              - id: recovered
                use: distill.features
                with:
                  teacher: model
                  data: train
                  epochs: {{context.Option("epochs", "15")}}
                  batch_size: 16
                  optimizer: { use: adamw, learning_rate: 0.001, weight_decay: 0 }
                  schedule: { use: cosine, warmup: 0.05 }
                  clip_norm: 10
                  average: 0.99
                  label_weight: 0
                  match_outputs: false
                  frozen: ['embeddings', 'timing']
                  pairs: [{ student: layer1.h2 }, { student: spam_logit }]
                  losses: [{ use: cosine, weight: 5, pairs: [{ student: embedding }] }]
            evaluate: { data: test, metrics: [{ use: accuracy, output: 1 }, size] }
            """,
            "encoder-sharing");
        var before = 100 * figures["model", "accuracy"];
        var lost = before - (100 * figures["recovered", "accuracy"]);
        var details = new[] { "model", "tied", "recovered" }.Select(s => new Measured(
            s, 100 * figures[s, "accuracy"], 100 * figures[s, "accuracy"], 100 * figures[s, "accuracy"], FormattableString.Invariant($"% right; {figures[s, "size"] / 1e6:0.00} MB"))).ToList();
        return new Outcome(lost, 1, "points lost by a tied pair of layers, recovered")
        {
            Conditions = [new("size of the recovered model", figures["recovered", "size"], figures["model", "size"] - 1e6, "bytes")],
            Details = details,
        };
    }
}
