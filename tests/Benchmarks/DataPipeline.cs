using System.Collections.Immutable;
using System.Diagnostics;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Images;
using Build.ML.Benchmarks.Frame;
using Build.ML.Data;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.Training.Augmentations;

namespace Build.ML.Benchmarks;

/// <summary>How much of the time of real training steps goes into waiting for data that is read from files and augmented while the step before is computed.</summary>
[Benchmark("data-pipeline")]
public sealed class DataPipeline : IBenchmark
{
    private const int Digits = 60_000;
    private const int Pictures = 10_000;

    /// <inheritdoc/>
    public string Summary => "LeNet on MNIST-like files, ResNet-20 on CIFAR-like files with crop, flip, cutout and jitter: at most 5 % of step time waits for data";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var lenet = Share(context, new LeNet(), MnistLike(context.Folder), [], (int)context.Option("batch", 64), context.Option("lenet-steps", 1000));
        var resnet = Share(
            context, new CifarResNet(), CifarLike(context.Folder), [new Crop(), new Flip(), new Cutout(), new ColorJitter()],
            (int)context.Option("batch", 64), context.Option("resnet-steps", 60));
        return new Outcome(100 * Math.Max(lenet.Waiting, resnet.Waiting), 5, "% of step time")
        {
            Details =
            [
                Percent("LeNet waits", lenet.Waiting),
                Step("LeNet step", lenet.Seconds),
                Percent("ResNet-20 waits", resnet.Waiting),
                Step("ResNet-20 step", resnet.Seconds),
            ],
        };
    }

    private static Measured Percent(string name, double share) => new(name, 100 * share, 100 * share, 100 * share, "%");

    private static Measured Step(string name, double seconds) => new(name, 1000 * seconds, 1000 * seconds, 1000 * seconds, "ms");

    private static (double Waiting, double Seconds) Share(
        BenchmarkContext context, Architecture architecture, DataSet data, ImmutableArray<Augmentation> augment, int batch, long steps)
    {
        var clock = new Clock();
        var threads = (int)context.Option("threads", Environment.ProcessorCount);
        using var model = architecture.Build(1);
        var trained = new Trainer(new StepContext
        {
            StepId = "train",
            Data = _ => data,
            Model = _ => throw new NotSupportedException(),
            Inference = new OnnxRuntimeInference(),
            ScratchDirectory = context.Folder,
            Threads = threads,
        }).Fit(model, new TrainingPlan
        {
            Options = new TrainingOptions
            {
                Data = new DataReference("train"),
                Steps = steps,
                BatchSize = batch,
                Augment = augment,
                Optimizer = new AdamW { LearningRate = 1e-3 },
            },
            Losses = [new CrossEntropy()],
            Hooks = [clock],
        });
        var seconds = Stopwatch.GetElapsedTime(clock.First, clock.Last).TotalSeconds;
        context.Log($"{architecture.GetType().Name}: {steps} steps of {batch} in {seconds:0.00} s, {trained.WaitedForData.TotalSeconds:0.000} s of it waiting for data");
        return (trained.WaitedForData.TotalSeconds / seconds, seconds / (steps - 1));
    }

    // Files of the sizes of the real sets; what the pixels are does not matter to speed.
    private static DataSet MnistLike(string folder)
    {
        var (images, labels) = (Path.Combine(folder, "images.idx"), Path.Combine(folder, "labels.idx"));
        var random = new Random(1);
        File.WriteAllBytes(images, [0, 0, 8, 3, .. BigEndian(Digits), .. BigEndian(28), .. BigEndian(28), .. Bytes(random, Digits * 28 * 28, 256)]);
        File.WriteAllBytes(labels, [0, 0, 8, 1, .. BigEndian(Digits), .. Bytes(random, Digits, 10)]);
        return new IdxReader().Read(new() { Images = new(images), Labels = new(labels), Mean = [0.1307], Std = [0.3081] });
    }

    private static DataSet CifarLike(string folder)
    {
        var file = Path.Combine(folder, "cifar.bin");
        var bytes = Bytes(new Random(2), Pictures * 3073, 256);
        for (var i = 0; i < Pictures; i++)
        {
            bytes[i * 3073] %= 10;
        }

        File.WriteAllBytes(file, bytes);
        return new CifarReader().Read(new() { File = new(file), Mean = [0.4914, 0.4822, 0.4465], Std = [0.247, 0.2435, 0.2616] });
    }

    private static byte[] BigEndian(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static byte[] Bytes(Random random, int count, int below)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        for (var i = 0; below < 256 && i < count; i++)
        {
            bytes[i] = (byte)(bytes[i] % below);
        }

        return bytes;
    }

    // The first step opens sessions and waits for the first batch: time runs from its end.
    private sealed class Clock : TrainingHook
    {
        public long First { get; private set; }

        public long Last { get; private set; }

        public override void AfterUpdate(TrainingState state)
        {
            Last = Stopwatch.GetTimestamp();
            First = First == 0 ? Last : First;
        }
    }
}
