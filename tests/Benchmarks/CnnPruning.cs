using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>resnet56 with fewer channels, recovered by distillation from itself on 500 images without labels; and what five importances lose at four sizes.</summary>
[Benchmark("cnn-pruning")]
public sealed class CnnPruning : IBenchmark
{
    private static readonly string[] Importances = ["l1", "l2", "fpgm", "activation", "taylor"];
    private static readonly int[] Percents = [20, 30, 40, 50];

    /// <inheritdoc/>
    public string Summary =>
        "resnet56 (--data FOLDER): 40 % of the multiply-accumulates gone lose at most 3 points after distillation from itself on 500 images without labels (--epochs N); "
        + "the trade-off curve of five importances (--importances a,b --percents 20,40 --curve-epochs N, 0 to train none; --curve no leaves it out)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var importances = context.Option("importances")?.Split(',') ?? Importances;
        int[] percents = context.Option("curve") == "no" ? []
            : context.Option("percents")?.Split(',').Select(p => int.Parse(p, CultureInfo.InvariantCulture)).ToArray() ?? Percents;
        var figures = new RecipeRun(context).Build(Recipe(context, importances, percents), "cnn-pruning");
        var before = figures["model", "accuracy"];
        double Lost(string step) => 100 * (before - figures[step, "accuracy"]);
        var details = new List<Measured> { Single("resnet56", 100 * before, "%") };
        foreach (var step in (string[])["slim", "recovered"])
        {
            details.Add(Single($"{step} loses", Lost(step), $"points with {1 - figures[step, "macs"] / figures["model", "macs"]:0.000} of the multiply-accumulates gone"));
        }

        foreach (var percent in percents)
        {
            foreach (var importance in importances)
            {
                details.Add(Single($"{percent} %, {importance}: loses at once", Lost($"at_once_{importance}_{percent}"), "points"));
                details.Add(Single($"{percent} %, {importance}: with least squares", Lost($"solved_{importance}_{percent}"), "points"));
                if (context.Option("curve-epochs") != "0")
                {
                    details.Add(Single($"{percent} %, {importance}: and distilled", Lost($"distilled_{importance}_{percent}"), "points"));
                }
            }
        }

        return new Outcome(Lost("recovered"), 3, "points lost")
        {
            Conditions = [new("multiply-accumulates left", figures["recovered", "macs"] / figures["model", "macs"], 0.6, "of resnet56")],
            Details = details,
        };
    }

    private static Measured Single(string name, double value, string unit) => new(name, value, value, value, unit);

    private static string Recipe(BenchmarkContext context, string[] importances, int[] percents)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "cnn"));
        var with = context.Option("with", "importance: { use: taylor, loss: pseudo_label }, round_to: 2, iterations: 4");

        // The outputs of the blocks keep their widths, so each block learns from its own: far more is told by 500 images than by their logits. Strong augmentation costs nothing: the teacher
        // says what is right for what comes out of it.
        var distilled =
            $"use: distill.features, with: {{ data: images, teacher: model, label_weight: 0, student_layers: '/layer*/Relu_1_output_0', feature_weight: {context.Option("feature-weight", "100")}, "
            + $"batch_size: 32, optimizer: {{ use: adamw, learning_rate: {context.Option("rate", "0.0001")} }}, schedule: {{ use: cosine, warmup: 0.05 }}, clip_norm: 20, average: 0.99, "
            + "augment: [flip, crop, cutout, { use: color_jitter, brightness: 0.3, contrast: 0.3 }], epochs: ";
        var curve = importances.SelectMany(_ => percents, (i, p) => $$"""

              - { id: at_once_{{i}}_{{p}}, from: model, use: prune.channels, with: { remove_macs: 0.{{p}}, importance: {{i}}, round_to: 4, data: images } }
              - { id: solved_{{i}}_{{p}}, from: model, use: prune.channels, with: { remove_macs: 0.{{p}}, importance: {{i}}, round_to: 4, data: images, compensate: least_squares } }
            """ + (context.Option("curve-epochs", "4") is var epochs and not "0" ? $"\n  - {{ id: distilled_{i}_{p}, {distilled}{epochs} }} }}" : ""));
        return $$"""
            model: {{data}}/resnet56_cifar10.onnx
            data:
              images: &images { reader: cifar, file: {{data}}/cifar10_calib_500.bin, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
              test: { <<: *images, file: {{data}}/cifar10_test_2000.bin }
            steps:
              - { id: slim, use: prune.channels, with: { remove_macs: 0.4, {{with}}, data: images, compensate: least_squares } }
              - { id: recovered, {{distilled}}{{context.Option("epochs", "100")}} } }{{string.Concat(curve)}}
            evaluate: { data: test, metrics: [accuracy, macs, size] }
            """;
    }
}
