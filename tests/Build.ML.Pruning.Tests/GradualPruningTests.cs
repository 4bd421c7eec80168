using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Pruning.Gradual;
using Build.ML.Training;

namespace Build.ML.Pruning.Tests;

public sealed class GradualPruningTests : IDisposable
{
    private static readonly DataReference Data = new("train");
    private readonly string _folder = Directory.CreateTempSubdirectory("buildml-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_sparsity_follows_the_cubic_schedule()
    {
        var schedule = new SparsitySchedule(0.1, 0.9, 10, 110, 20);
        Assert.Equal(0, schedule.At(9));
        Assert.Equal(0.1, schedule.At(10), 12);
        Assert.Equal(0.9 + (0.1 - 0.9) * Math.Pow(0.75, 3), schedule.At(35), 12);
        Assert.Equal(0.9, schedule.At(110), 12);
        Assert.Equal(0.9, schedule.At(1000), 12);
        Assert.Equal([10, 30, 50, 70, 90, 110], Enumerable.Range(1, 200).Where(s => schedule.Chooses(s)));
    }

    [Theory]
    [InlineData(PruningImportance.Magnitude, PruningScope.Layer)]
    [InlineData(PruningImportance.Magnitude, PruningScope.Global)]
    [InlineData(PruningImportance.Movement, PruningScope.Layer)]
    [InlineData(PruningImportance.Movement, PruningScope.Global)]
    public void Exactly_as_many_weights_as_asked_for_are_zero_in_the_end(PruningImportance importance, PruningScope scope)
    {
        using var model = Perceptron();
        var result = new GradualPruning().Apply(model, Options() with { Sparsity = 0.7, Importance = importance, Scope = scope }, Context());
        var weights = Enumerable.Range(0, 3).Select(i => Weights(model, "w" + i)).ToArray();
        if (scope == PruningScope.Layer)
        {
            Assert.All(weights, w => Assert.Equal((int)Math.Round(w.Length * 0.7), w.Count(x => x == 0)));
        }

        Assert.Equal(Math.Round(weights.Sum(w => w.Length) * 0.7), weights.Sum(w => w.Count(x => x == 0)), 1.0);
        Assert.All(Weights(model, "b0"), b => Assert.NotEqual(0, b));
        Assert.Equal(weights.Select(w => (double)w.Count(x => x == 0) / w.Length), result.Layers.Select(l => l.Figures.Single(f => f.Key == "sparsity").Value));
    }

    [Theory]
    [InlineData(PruningImportance.Magnitude)]
    [InlineData(PruningImportance.Movement)]
    public void Of_every_four_inputs_two_stay_with_the_pattern_2_of_4(PruningImportance importance)
    {
        using var model = Perceptron();
        new GradualPruning().Apply(model, Options() with { Pattern = "2:4", Importance = importance }, Context());
        var w = Weights(model, "w1"); // [16, 16], inputs along the first axis
        for (var column = 0; column < 16; column++)
        {
            for (var group = 0; group < 16; group += 4)
            {
                Assert.Equal(2, Enumerable.Range(group, 4).Count(row => w[row * 16 + column] == 0));
            }
        }
    }

    [Fact]
    public void Movement_takes_the_weight_that_shrinks_and_magnitude_the_one_that_is_small_at_the_time()
    {
        // y = 1.5·x₁: w starts at (2, 0.2), so that training shrinks the greater and grows the smaller.
        Assert.Equal(0, Pruned(PruningImportance.Movement)[0]);
        Assert.Equal(0, Pruned(PruningImportance.Magnitude)[1]);

        static float[] Pruned(PruningImportance importance)
        {
            var graph = new OnnxGraph("line");
            var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
            using var model = Of(graph, graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of([2f, 0.2f], 2, 1))], "y"), 1);
            var random = new Random(4);
            var data = new MemoryData([.. Enumerable.Range(0, 64).Select(_ =>
            {
                float[] point = [random.NextSingle() - 0.5f, random.NextSingle() - 0.5f];
                return new Sample([new("", Tensor.Of(point, 2))], new Label { Target = Tensor.Of([1.5f * point[1]], 1) });
            })]);
            new GradualPruning().Apply(
                model,
                new()
                {
                    Data = Data,
                    Steps = 10,
                    BatchSize = 64,
                    Optimizer = new GradientDescent { LearningRate = 0.1 },
                    Losses = [new MeanSquaredError()],
                    Sparsity = 0.5,
                    InitialSparsity = 0.5,
                    Begin = 0.5,
                    End = 0.6,
                    Importance = importance,
                },
                Context(data));
            return Weights(model, "w");
        }
    }

    [Fact]
    public void Training_along_keeps_what_pruning_at_once_loses()
    {
        using var gradual = Perceptron();
        new Trainer(Context()).Fit(gradual, new TrainingPlan { Options = Options() with { Steps = 600 }, Losses = [new CrossEntropy()] });
        using var once = gradual.Clone();
        new MagnitudePruning().Apply(once, new() { Sparsity = 0.8 }, Context());
        new GradualPruning().Apply(gradual, Options() with { Steps = 600, Sparsity = 0.8 }, Context());
        var (before, after) = (Accuracy(once), Accuracy(gradual));
        Assert.True(after > 0.93 && after > before + 0.05, $"at once {before:P1}, gradually {after:P1}");
    }

    [Fact]
    public void A_frozen_layer_is_left_and_named()
    {
        using var model = Perceptron();
        var before = Weights(model, "w1");
        var result = new GradualPruning().Apply(model, Options() with { Frozen = ["w1"] }, Context());
        Assert.Equal(before, Weights(model, "w1"));
        Assert.Equal("its weight is frozen", result.Layers.Single(l => l.Outcome == "left").Reason);
    }

    [Theory]
    [InlineData(PruningImportance.Magnitude)]
    [InlineData(PruningImportance.Movement)]
    public void A_run_killed_in_the_middle_and_started_again_ends_with_the_same_bytes(PruningImportance importance)
    {
        using var whole = Perceptron();
        Fit(whole, Context(threads: 1));
        using var parted = Perceptron();
        using var stop = new CancellationTokenSource();
        var cancelling = new GradualCancellation(stop, 30);
        Assert.Throws<OperationCanceledException>(() => Fit(parted, Context(checkpoints: _folder) with { Cancellation = stop.Token }, cancelling));
        Fit(parted, Context(checkpoints: _folder));
        Assert.Equal(whole.ToBytes(), parted.ToBytes());

        void Fit(Model model, StepContext context, params TrainingHook[] more)
        {
            var options = Options() with { Steps = 60, Importance = importance };
            var weights = Enumerable.Range(0, 3).Select(i => new GradualWeight("w" + i, 0, model.Graph.Find("w" + i)!.Initializer!.Sizes.AsSpan(), importance)).ToArray();
            new Trainer(context) { CheckpointInterval = TimeSpan.Zero }.Fit(model, new TrainingPlan
            {
                Options = options,
                Losses = [new CrossEntropy()],
                Hooks = [new GradualMask(weights, options), .. more],
            });
        }
    }

    private static GradualPruning.Options Options() => new()
    {
        Data = Data,
        Steps = 100,
        BatchSize = 32,
        Optimizer = new AdamW { LearningRate = 0.01 },
    };

    private static StepContext Context(DataSet? data = null, int threads = 2, string checkpoints = "") => new()
    {
        StepId = "sparse",
        Data = _ => data ?? Circle(256, 1),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
        CheckpointDirectory = checkpoints,
        Threads = threads,
        Seed = 2,
    };

    // Two classes that a circle parts.
    private static MemoryData Circle(int count, int seed)
    {
        var random = new Random(seed);
        return new([.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] x = [random.NextSingle() * 2 - 1, random.NextSingle() * 2 - 1];
            return new Sample([new("", Tensor.Of(x, 2))], new Label { Class = x[0] * x[0] + x[1] * x[1] < 0.6f ? 1 : 0 });
        })]);
    }

    // [n,2] → 16 → 16 → [n,2].
    private static Model Perceptron()
    {
        var graph = new OnnxGraph("perceptron");
        var value = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
        var random = new Random(3);
        int[] widths = [2, 16, 16, 2];
        for (var i = 0; i < 3; i++)
        {
            var w = Enumerable.Range(0, widths[i] * widths[i + 1]).Select(_ => (random.NextSingle() - 0.5f) * MathF.Sqrt(24f / widths[i])).ToArray();
            var b = Enumerable.Repeat(0.01f, widths[i + 1]).ToArray();
            value = graph.Add("Gemm", [value, graph.AddInitializer($"w{i}", Tensor.Of(w, widths[i], widths[i + 1])), graph.AddInitializer($"b{i}", Tensor.Of(b, b.Length))], $"z{i}");
            value = i == 2 ? value : graph.Add("Relu", [value], $"h{i}");
        }

        return Of(graph, value, 2);
    }

    private static Model Of(OnnxGraph graph, Value output, long width)
    {
        output.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), width));
        graph.AddOutput(output);
        return new Model(graph, 17) { IrVersion = 8 };
    }

    private static double Accuracy(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        var data = Circle(1000, 77);
        return Enumerable.Range(0, data.Count).Count(i =>
        {
            var scores = session.Run([new("", Tensor.Of(data[i].Inputs[0].Value.ToArray<float>(), 1, 2))])[0].ToArray<float>();
            return (scores[1] > scores[0] ? 1 : 0) == data[i].Label.Class;
        }) / 1000d;
    }

    private static float[] Weights(Model model, string name) => model.Graph.Find(name)!.Initializer!.ToArray<float>();

    private sealed class MemoryData(Sample[] samples) : DataSet
    {
        public override int Count => samples.Length;

        public override Sample this[int index] => samples[index];
    }

    private sealed class GradualCancellation(CancellationTokenSource stop, long step) : TrainingHook
    {
        public override void AfterUpdate(TrainingState state)
        {
            if (state.Step == step)
            {
                stop.Cancel();
            }
        }
    }
}
