using Build.ML.Autodiff.Tests.Reference;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Benchmarks;

/// <summary>Gradients of real models next to differences of a forward pass in double precision.</summary>
[Benchmark("gradients")]
public sealed class Gradients : IBenchmark
{
    // Millionths of the gradient's norm.
    private const double Limit = 10;

    private static readonly (string File, string Output, (string Name, long Limit, long[] Sizes)[] Inputs)[] Models =
    [
        ("cnn/resnet20_cifar10.onnx", "logits", [("input", 0, [2, 3, 32, 32])]),
        ("cnn/resnet20_cifar10_bn.onnx", "logits", [("input", 0, [2, 3, 32, 32])]),
        ("cnn/resnet56_cifar10.onnx", "logits", [("input", 0, [1, 3, 32, 32])]),
        ("encoder/use_lite_en_spam.onnx", "spam_logit", [("input_ids", 8002, [2, 16]), ("attention_mask", 1, [2, 16])]),
        ("lm/stories260K.onnx", "logits", [("input_ids", 512, [1, 32])]),
    ];

    /// <inheritdoc/>
    public string Summary => "gradients of real models (--data FOLDER) against double precision: at most 1e-5 of the gradient's norm apart";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var folder = context.RequiredPath("data", "the folder of models and data");
        var directions = int.Parse(context.Option("directions", "2"), System.Globalization.CultureInfo.InvariantCulture);
        var conditions = new List<Condition>();
        foreach (var (file, output, inputs) in Models.Where(m => m.File.Contains(context.Option("only", ""), StringComparison.Ordinal)))
        {
            using var model = Model.Open(Path.Combine(folder, file));
            var random = new Random(1);
            var feeds = inputs.ToDictionary(i => i.Name, i => Content(random, i.Limit, i.Sizes));
            var agreements = GradientAgreement.Of(model, feeds, output, v => v.Initializer!.Count > 1, directions);
            conditions.Add(new($"{Path.GetFileNameWithoutExtension(file)}, {agreements.Count} weights", 1e6 * GradientAgreement.Worst(agreements), Limit, "millionths of the norm"));
        }

        return new Outcome(conditions.Max(c => c.Value), Limit, "millionths of the gradient's norm") { Conditions = conditions };
    }

    // Images of normal numbers; words below the limit; a mask of ones.
    private static Tensor Content(Random random, long limit, long[] sizes)
    {
        var count = (int)DoubleTensor.Product(sizes);
        return limit == 0 ? Tensor.Of(Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2).ToArray(), sizes)
            : Tensor.Of(Enumerable.Range(0, count).Select(_ => limit == 1 ? 1 : random.NextInt64(limit)).ToArray(), sizes);
    }
}
