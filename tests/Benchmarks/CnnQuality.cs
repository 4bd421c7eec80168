using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>Convolutional networks quantized with 200 calibration images: points of accuracy lost on 2,000 others.</summary>
[Benchmark("cnn-quality")]
public sealed class CnnQuality : IBenchmark
{
    private static readonly (string Step, string With, double Limit)[] Variants =
    [
        ("int8", "", 0.3),
        ("int8_corrected", ", bias_correction: true", 0.3),
        ("weights4", ", weight_bits: 4, activations: none, rounding: adaround", 1.5),
        ("weights4_int8", ", weight_bits: 4, rounding: adaround", 1.5),
    ];

    // For comparison, without a limit.
    private static readonly (string Step, string With)[] Others =
    [
        ("weights4_nearest", ", weight_bits: 4, activations: none"),
        ("weights3", ", weight_bits: 3, activations: none, rounding: adaround"),
    ];

    /// <inheritdoc/>
    public string Summary => "resnet20 and resnet56 (--data FOLDER), 200 calibration images: int8 loses at most 0.3 points, 4-bit weights at most 1.5";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var conditions = new List<Condition>();
        var details = new List<Measured>();
        foreach (var network in context.Option("networks", "resnet20,resnet56").Split(','))
        {
            var figures = new RecipeRun(context).Build(Recipe(context, network, Steps(context)), network);
            var before = figures["model", "accuracy"];
            details.Add(new($"{network}: fp32", 100 * before, 100 * before, 100 * before, "%"));
            foreach (var (step, _) in Steps(context))
            {
                var lost = 100 * (before - figures[step, "accuracy"]);
                details.Add(new($"{network}: {step} loses", lost, lost, lost, $"points; file {figures[step, "size"] / figures["model", "size"]:0.000} of fp32"));
                if (Variants.FirstOrDefault(v => v.Step == step) is { Step: not null } variant)
                {
                    conditions.Add(new($"{network}: {step}", lost, variant.Limit, "points"));
                }

                var noise = figures.LayersOf(step).SelectMany(l => l.Figures).Where(f => f.Key == "weight_sqnr_db").Select(f => f.Value).ToList();
                details.Add(new($"{network}: {step} weight SQNR by layer", Interleaved.Median(noise), noise.Min(), noise.Max(), "dB"));
            }
        }

        return new Outcome(conditions.Max(c => c.Value / c.Limit), 1, "of the points allowed") { Conditions = conditions, Details = details };
    }

    // --steps int8,weights4 for some of them.
    private static IEnumerable<(string Step, string With)> Steps(BenchmarkContext context)
    {
        var all = Variants.Select(v => (v.Step, v.With)).Concat(Others);
        return context.Option("steps") is { } names ? all.Where(s => names.Split(',').Contains(s.Step)) : all;
    }

    /// <summary>A recipe that quantizes one of the networks in several ways.</summary>
    internal static string Recipe(BenchmarkContext context, string network, IEnumerable<(string Step, string With)> steps)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "cnn"));
        return $$"""
            model: {{data}}/{{network}}_cifar10.onnx
            data:
              calibration: &images { reader: cifar, file: {{data}}/cifar10_calib_500.bin, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], limit: 200 }
              test: { <<: *images, file: {{data}}/cifar10_test_2000.bin, limit: 2000 }
            steps:
              - { id: current, use: optimize.graph, with: { opset: 21 } }
            {{string.Join('\n', steps.Select(s => $"  - {{ id: {s.Step}, from: current, use: quantize.static, with: {{ data: calibration{s.With} }} }}"))}}
            evaluate: { data: test, metrics: [accuracy, size] }
            """;
    }
}
