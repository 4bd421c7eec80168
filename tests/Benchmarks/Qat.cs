using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>Rounding after training against quantization-aware training, on a trained network and 500 images without labels (self-distillation).</summary>
[Benchmark("qat")]
public sealed class Qat : IBenchmark
{
    // Bits of weights and of activations; points that training may lose.
    private static readonly (int Weights, int Activations, double Limit)[] Formats = [(8, 8, 0.5), (4, 8, 1.5), (4, 4, 4), (3, 8, 3)];

    /// <inheritdoc/>
    public string Summary => "resnet20 (--data FOLDER), 500 images without labels, weights/activations of 8/8, 4/8, 4/4, 3/8 bits: trained loses fewer points than rounded";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var chosen = context.Option("formats")?.Split(',');
        var formats = Formats.Where(f => chosen is null || chosen.Contains($"{f.Weights}/{f.Activations}")).ToArray();
        var figures = new RecipeRun(context).Build(Recipe(context, formats), "qat");
        var before = figures["model", "accuracy"];
        var conditions = new List<Condition>();
        var details = new List<Measured> { new("fp32", 100 * before, 100 * before, 100 * before, "%") };
        foreach (var (weights, activations, limit) in formats)
        {
            var rounded = 100 * (before - figures[$"rounded_{weights}_{activations}", "accuracy"]);
            var trained = 100 * (before - figures[$"trained_{weights}_{activations}", "accuracy"]);
            details.Add(new($"{weights}/{activations} bits: rounded after training loses", rounded, rounded, rounded, "points"));
            details.Add(new($"{weights}/{activations} bits: trained loses", trained, trained, trained, "points"));
            conditions.Add(new($"{weights}/{activations} bits: trained loses", trained, limit, "points"));
            if (weights < 8)
            {
                conditions.Add(new($"{weights}/{activations} bits: trained, beside rounded", trained, rounded, "points"));
            }
        }

        return new Outcome(conditions.Max(c => c.Value - c.Limit), 0, "points beyond what is allowed") { Conditions = conditions, Details = details };
    }

    private static string Recipe(BenchmarkContext context, (int Weights, int Activations, double Limit)[] formats)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "cnn"));
        var (epochs, rate) = (context.Option("epochs", "20"), context.Option("rate", "5e-4"));
        var extra = context.Option("with") is { } more ? ", " + more : "";
        var steps = formats.Select(f => $$"""
              - { id: rounded_{{f.Weights}}_{{f.Activations}}, from: current, use: quantize.static, with: { data: images, calibrator: mse, weight_bits: {{f.Weights}}, activation_bits: {{f.Activations}} } }
              - { id: trained_{{f.Weights}}_{{f.Activations}}, from: current, use: quantize.qat, with: { data: images, teacher: model, weight_bits: {{f.Weights}}, activation_bits: {{f.Activations}}, epochs: {{epochs}}, optimizer: { use: adamw, learning_rate: {{rate}} }, schedule: cosine, augment: [flip, crop]{{extra}} } }
            """);
        return $$"""
            model: {{data}}/resnet20_cifar10.onnx
            data:
              images: &images { reader: cifar, file: {{data}}/cifar10_calib_500.bin, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
              test: { <<: *images, file: {{data}}/cifar10_test_2000.bin }
            steps:
              - { id: current, use: optimize.graph, with: { opset: 21 } }
            {{string.Join('\n', steps)}}
            evaluate: { data: test, metrics: [accuracy, size] }
            """;
    }
}
