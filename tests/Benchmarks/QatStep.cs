using System.Diagnostics;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Images;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization;
using Build.ML.Quantization.Calibration;
using Build.ML.Quantization.QuantizationAware;
using Build.ML.Quantization.Static;
using Build.ML.Quantization.Weights;
using Build.ML.Training;

namespace Build.ML.Benchmarks;

/// <summary>The time of a training step with fake quantization and learnt step sizes beside a step without, ResNet-20 on images of 3×32×32.</summary>
[Benchmark("qat-step")]
public sealed class QatStep : IBenchmark
{
    private static readonly DataReference Images = new("images");

    /// <inheritdoc/>
    public string Summary => "ResNet-20, 3×32×32: a quantization-aware step takes at most 1.6 of a plain one";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var batch = (int)context.Option("batch", 32);
        using var plain = new CifarResNet().Build(1);
        using var upgraded = plain.Clone();
        new UpgradeOpset { Version = 21 }.Run(upgraded);
        PassPipeline.Of(["constants-to-initializers", "fold-batch-norm"]).Run(upgraded);
        var weights = Weights(upgraded);
        using var quantized = Quantized(upgraded, weights, Context(context));
        var sides = Interleaved.Run(
            (int)context.Option("rounds", 3), "ms",
            ("plain step, with batch normalization", () => StepTime(plain, Weights(plain), context, batch)),
            ("plain step, batch normalization folded", () => StepTime(upgraded, Weights(upgraded), context, batch)),
            ("quantization-aware step", () => StepTime(quantized, weights, context, batch)));
        return new Outcome(sides[2].Median / sides[0].Median, 1.6, "x plain")
        {
            Details = [.. sides, new("beside the folded network", sides[2].Median / sides[1].Median, sides[2].Median / sides[1].Median, sides[2].Median / sides[1].Median, "x")],
        };
    }

    // What quantize.qat trains.
    private static Model Quantized(Model folded, HashSet<string> trained, StepContext context)
    {
        var activations = ActivationParameters.Calibrate(
            folded, Plan(folded), new MinMaxCalibrator(), new CalibrationTarget(QuantizedType.U8, Symmetric: false, Bits: 8, 99.99), Images, context);
        var table = new WeightTable(new WeightQuantizer(new WeightFormat(QuantizedType.S8, Granularity.PerChannel, ReduceRange: false), context.Threads));
        var model = folded.Clone();
        var trainable = new TrainableQuantization(model.Graph, Plan(model), activations, table, learn: true);
        trainable.Write();
        trained.UnionWith(trainable.StepNames);
        return model;

        static QdqPlan Plan(Model of) => QdqPlan.Of(of, new LayerSelection(of, [], [], []), new Dictionary<int, LayerTreatment>());
    }

    private static HashSet<string> Weights(Model model) =>
        model.Graph.Initializers.Where(i => i.ElementType == DataType.Float && TrainableWeights.IsWeight(i)).Select(i => i.Name).ToHashSet(StringComparer.Ordinal);

    private static double StepTime(Model model, HashSet<string> trained, BenchmarkContext context, int batch)
    {
        using var copy = model.Clone();
        var clock = new Clock();

        new Trainer(Context(context)).Fit(copy, new TrainingPlan
        {
            Options = new TrainingOptions { Data = Images, BatchSize = batch, Steps = context.Option("steps", 30), Optimizer = new AdamW { LearningRate = 1e-4 } },
            Losses = [new CrossEntropy()],
            Trainable = v => trained.Contains(v.Name),
            Hooks = [clock],
        });
        return Interleaved.Median(clock.Steps);
    }

    private static StepContext Context(BenchmarkContext context) => new()
    {
        StepId = "step",
        Data = _ => new Noise(128),
        Model = _ => throw new NotSupportedException(),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = context.Folder,
        Threads = (int)context.Option("threads", Environment.ProcessorCount),
    };

    // Milliseconds from the end of one step to the end of the next, but for the first few.
    private sealed class Clock : TrainingHook
    {
        private const int WarmUp = 5;
        private long _last;

        public List<double> Steps { get; } = [];

        public override void AfterUpdate(TrainingState state)
        {
            var now = Stopwatch.GetTimestamp();
            if (state.Step >= WarmUp)
            {
                Steps.Add(Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds);
            }

            _last = now;
        }
    }

    private sealed class Noise(int count) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                var pixels = new float[3 * 32 * 32];
                for (var i = 0; i < pixels.Length; i++)
                {
                    pixels[i] = random.NextSingle() * 4 - 2;
                }

                return new Sample([new("", Tensor.Of(pixels, 3, 32, 32))], new Label { Class = index % 10 });
            }
        }
    }
}
