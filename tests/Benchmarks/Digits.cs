using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// MNIST from nothing: LeNet; a ResNet teacher; a MobileNet-style student trained alone and distilled on a part of the images, over several seeds; the student distilled on all of them, in 8 bits and with
/// 4-bit weights, after training and in training. Epochs were chosen on a tenth of the training images held out, not on the test images.
/// </summary>
[Benchmark("digits")]
public sealed class Digits : IBenchmark
{
    /// <inheritdoc/>
    public string Summary =>
        "MNIST: LeNet at least 99 %, the distilled int8 student within 0.3 points of its teacher, distilled better than alone (--seeds N), QAT better than PTQ at 4-bit weights; "
        + "--part N images for the seeds, --limit N images for the rest";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var seeds = (int)context.Option("seeds", 3);
        var figures = new RecipeRun(context).Build(Recipe(context.Option("limit", 60_000), context.Option("part", 10_000), seeds), "digits");
        double Accuracy(string step) => 100 * figures[step, "accuracy"];
        var alone = Enumerable.Range(1, seeds).Average(s => Accuracy($"alone{s}"));
        var distilled = Enumerable.Range(1, seeds).Average(s => Accuracy($"distilled{s}"));
        string[] steps =
        [
            "lenet", "teacher", .. Enumerable.Range(1, seeds).SelectMany(s => new[] { $"alone{s}", $"distilled{s}" }), "student", "ptq8", "qat8", "ptq4", "qat4",
        ];
        return new Outcome(Accuracy("teacher") - Accuracy("qat8"), 0.3, "points that the int8 student lacks of its teacher")
        {
            Conditions =
            [
                new("LeNet: points lacking of 100", 100 - Accuracy("lenet"), 1, "points"),
                new($"student alone over distilled, mean of {seeds}", alone - distilled, 0, "points"),
                new("4-bit weights: after training over in training", Accuracy("ptq4") - Accuracy("qat4"), 0, "points"),
                new("int8 student: bytes of the teacher's", figures["qat8", "size"] / figures["teacher", "size"], 0.11, "x"),
            ],
            Details = [.. steps.Select(s => new Measured($"{s}: accuracy", Accuracy(s), Accuracy(s), Accuracy(s), string.Create(CultureInfo.InvariantCulture, $"% ({figures[s, "size"] / 1000:0} kB)")))],
        };
    }

    private static string Recipe(long limit, long part, int seeds)
    {
        const string Fast = "batch_size: 64, optimizer: { use: adamw, learning_rate: 0.004, weight_decay: 0.01 }, schedule: one_cycle, augment: [{ use: shift, distance: 0.08 }]";
        const string Aware = "calibration: calibration, teacher: teacher, epochs: 1, batch_size: 64, optimizer: { use: adamw, learning_rate: 0.0005 }, schedule: cosine";
        var students = string.Concat(Enumerable.Range(1, seeds).Select(s =>
            $$"""

              - { id: blank{{s}}, use: architect.new, seed: {{s}}, with: { architecture: { use: mobilenet-v1, width: 0.1, stride: 4, channels: 1, size: 28, classes: 10 } } }
              - { id: alone{{s}}, use: train, seed: {{s}}, with: { data: part, epochs: 4, {{Fast}} } }
              - { id: distilled{{s}}, from: blank{{s}}, use: distill.logits, seed: {{s}}, with: { data: part, teacher: teacher, epochs: 4, {{Fast}} } }
            """));
        return
            $$"""
            model: { architecture: lenet, variant: modern }
            data:
            {{MnistSets.Data}}
              all: { <<: *digits, limit: {{limit}} }
              part: { <<: *digits, limit: {{part}} }
              calibration: { <<: *digits, limit: 200 }
            steps:
              - { id: lenet, use: train, with: { data: train, epochs: 3, {{Fast}} } }
              - { id: start, use: architect.new, with: { architecture: { use: resnet-cifar, depth: 20, channels: 1, size: 28 } } }
              - { id: teacher, use: train, with: { data: all, epochs: 3, {{Fast}} } }{{students}}
              - { id: student, from: blank1, use: distill.logits, with: { data: all, teacher: teacher, epochs: 5, {{Fast}} } }
              - { id: ptq8, from: student, use: quantize.static, with: { data: calibration } }
              - { id: qat8, from: student, use: quantize.qat, with: { data: all, {{Aware}} } }
              - { id: ptq4, from: student, use: quantize.static, with: { data: calibration, weight_bits: 4 } }
              - { id: qat4, from: student, use: quantize.qat, with: { data: all, weight_bits: 4, {{Aware}} } }
            evaluate: { data: test, metrics: [accuracy, size] }
            """;
    }
}
