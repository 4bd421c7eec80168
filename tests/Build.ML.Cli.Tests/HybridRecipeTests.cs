using System.Buffers.Binary;

namespace Build.ML.Cli.Tests;

/// <summary>Recipes that chain techniques of several families, on images that the test draws: each of ten classes has a pattern, which is moved about and lies under noise.</summary>
public sealed class HybridRecipeTests
{
    private const int Side = 28;

    [Fact]
    public void Each_hybrid_wins_back_what_its_first_half_lost_and_keeps_what_it_saved()
    {
        using var terminal = new Terminal();
        WriteImages(terminal, "train", 600, seed: 1);
        WriteImages(terminal, "test", 400, seed: 2);
        terminal.Write("hybrids.buildml.yaml", """
            recipe: hybrids
            model: { architecture: lenet, variant: modern }
            data:
              train: &images { reader: idx, images: train-images, labels: train-labels, mean: [0.5], std: [0.25] }
              test: { <<: *images, images: test-images, labels: test-labels }
            steps:
              - { id: dense, use: train, with: { data: train, epochs: 6, optimizer: &fast { use: adamw, learning_rate: 0.002 } } }

              # pruned, distilled from what it was, quantized
              - { id: slim, use: prune.neurons, with: { remove_parameters: 0.6, data: train, importance: l1, round_to: 4 } }
              - { id: distilled, use: distill.logits, with: { data: train, teacher: dense, label_weight: 0, epochs: 4, optimizer: *fast } }
              - { id: int8, use: quantize.static, with: { data: train } }

              # low rank, then adapters
              - { id: factored, from: dense, use: lowrank.activation, with: { ratio: 0.08, data: train, op_types: [Gemm] } }
              - { id: adapted, use: finetune.lora, with: { data: train, rank: 8, epochs: 4, optimizer: *fast } }

              # pruned, clustered with trained codebooks, packed
              - { id: zeros, from: dense, use: prune.magnitude, with: { sparsity: 0.88 } }
              - { id: clustered, use: share.cluster, with: { bits: 4, fine_tune: { data: train, epochs: 6, teacher: dense, optimizer: *fast } } }
            evaluate: { data: test, metrics: [accuracy, size, packed_size] }
            outputs: { small.onnx: int8, adapted.onnx: adapted, small.onnxz: clustered }
            """);
        var build = terminal.Run("build", "--cache", "cache", "--json");
        Assert.Equal((ExitCodes.Success, ""), (build.Code, build.Error));
        double Figure(string step, string name) =>
            (double)build.Result["metrics"]!.AsArray().Single(m => (string)m!["model"]! == step)!["figures"]!.AsArray().Single(f => (string)f!["name"]! == name)!["value"]!;
        var (right, bytes) = (Figure("dense", "accuracy"), Figure("dense", "size"));
        Assert.InRange(right, 0.9, 1);
        Loses("slim");
        Recovers("distilled");
        Recovers("int8");
        Assert.InRange(Figure("int8", "size"), 0, bytes / 7);

        Loses("factored");
        Recovers("adapted");
        Assert.Equal(Figure("factored", "size"), Figure("adapted", "size")); // the adapters are merged
        Assert.InRange(Figure("adapted", "size"), 0, bytes / 7);

        Loses("zeros");
        Recovers("clustered");
        Assert.InRange(Figure("clustered", "packed_size"), 0, bytes / 20);
        Assert.Equal(Figure("clustered", "packed_size"), new FileInfo(Assert.Single(build.Result["outputs"]!.AsArray(), o => ((string)o!).EndsWith(".onnxz", StringComparison.Ordinal))!.ToString()).Length);

        void Loses(string step) => Assert.True(Figure(step, "accuracy") < right - 0.1, $"{step}: {Figure(step, "accuracy")} of {right}");
        void Recovers(string step) => Assert.True(Figure(step, "accuracy") > right - 0.06, $"{step}: {Figure(step, "accuracy")} of {right}");
    }

    // A pattern of a class: waves of two directions, their frequencies told by the class.
    private static void WriteImages(Terminal terminal, string name, int count, int seed)
    {
        var random = new Random(seed);
        var images = new byte[16 + (count * Side * Side)];
        var labels = new byte[8 + count];
        BinaryPrimitives.WriteInt32BigEndian(images, 0x803);
        BinaryPrimitives.WriteInt32BigEndian(images.AsSpan(4), count);
        BinaryPrimitives.WriteInt32BigEndian(images.AsSpan(8), Side);
        BinaryPrimitives.WriteInt32BigEndian(images.AsSpan(12), Side);
        BinaryPrimitives.WriteInt32BigEndian(labels, 0x801);
        BinaryPrimitives.WriteInt32BigEndian(labels.AsSpan(4), count);
        for (var i = 0; i < count; i++)
        {
            var kind = i % 10;
            labels[8 + i] = (byte)kind;
            var (across, down) = (random.NextDouble() * 6, random.NextDouble() * 6);
            for (var p = 0; p < Side * Side; p++)
            {
                var (x, y) = ((p % Side) + across, (p / Side) + down);
                var wave = Math.Sin(x * (0.3 + (0.12 * (kind % 5)))) + Math.Sin(y * (0.3 + (0.3 * (kind / 5))));
                images[16 + (i * Side * Side) + p] = (byte)Math.Clamp(128 + (30 * wave) + (50 * (random.NextDouble() - 0.5) * 2), 0, 255);
            }
        }

        File.WriteAllBytes(terminal.PathOf(name + "-images"), images);
        File.WriteAllBytes(terminal.PathOf(name + "-labels"), labels);
    }
}
