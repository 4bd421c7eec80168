using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Training.Tests;

/// <content>The same bits, whatever the threads, the kills and the memory.</content>
public sealed partial class TrainerTests
{
    // The recipe of the tests about bits: everything that has a state or draws random numbers.
    static TrainingOptions Everything(long steps) => new()
    {
        Data = Training.Data,
        Steps = steps,
        BatchSize = 8,
        Accumulate = 2,
        Optimizer = new AdamW { LearningRate = 0.01 },
        Schedule = new CosineSchedule { Warmup = 5 },
        ClipNorm = 1,
        Average = 0.9,
        Validation = new DataReference("validation"),
        ValidateEvery = 0.3,
    };

    [Fact]
    public void Two_runs_with_one_thread_or_two_give_the_same_bytes()
    {
        byte[] Run(int threads, long seed = 7)
        {
            using var model = Training.Perceptron(dropout: 0.25f, normalized: true);
            new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9), threads, seed: seed)).Fit(model, Classification(Everything(30)));
            return Training.Bytes(model);
        }

        var first = Run(2);
        Assert.Equal(first, Run(2));
        Assert.Equal(first, Run(1));
        Assert.NotEqual(first, Run(2, seed: 8));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(29)]
    public void A_killed_run_that_is_started_again_ends_with_the_same_bytes(int killedAfter)
    {
        using var whole = Training.Perceptron(dropout: 0.25f, normalized: true);
        var expected = new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9)))
            .Fit(whole, Classification(Everything(30), new CountingHook()));

        using var source = new CancellationTokenSource();
        using var killed = Training.Perceptron(dropout: 0.25f, normalized: true);
        var hook = new CountingHook
        {
            After = step =>
        {
            if (step == killedAfter)
            {
                source.Cancel(); // in the middle of a step: weights are changed, the checkpoint is not
            }
        }
        };
        var before = Training.Bytes(Training.Perceptron(dropout: 0.25f, normalized: true));
        Assert.Throws<OperationCanceledException>(() => new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9), checkpoints: _folder, cancellation: source.Token))
        {
            CheckpointInterval = TimeSpan.Zero,
        }.Fit(killed, Classification(Everything(30), hook)));
        Assert.Equal(before, Training.Bytes(killed));

        using var resumed = Training.Perceptron(dropout: 0.25f, normalized: true);
        var second = new CountingHook();
        var result = new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9), threads: 1, checkpoints: _folder)).Fit(resumed, Classification(Everything(30), second));
        Assert.Equal(Training.Bytes(whole), Training.Bytes(resumed));
        Assert.Equal(30, second.Count);
        Assert.InRange(second.Calls, 1, 30 - killedAfter + 1); // it went on, it did not begin again
        Assert.Equal(expected.Validations.AsEnumerable(), result.Validations);
        Assert.Equal(expected.Loss, result.Loss);
    }

    [Fact]
    public void A_torn_checkpoint_is_not_used()
    {
        using var source = new CancellationTokenSource();
        using var killed = Training.Perceptron();
        var hook = new CountingHook
        {
            After = step =>
        {
            if (step == 5)
            {
                source.Cancel();
            }
        }
        };
        Assert.Throws<OperationCanceledException>(() => new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9), checkpoints: _folder, cancellation: source.Token))
        {
            CheckpointInterval = TimeSpan.Zero,
        }.Fit(killed, Classification(Everything(10), hook)));
        var file = Assert.Single(Directory.GetFiles(_folder));
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(file, bytes);
        using var model = Training.Perceptron();
        var second = new CountingHook();
        new Trainer(Training.Context(Training.Circle(100), Training.Circle(30, 9), checkpoints: _folder)).Fit(model, Classification(Everything(10), second));
        Assert.Equal(10, second.Calls);
    }

    [Fact]
    public void Samples_of_several_lengths_train_one_set_of_weights_and_resume_to_the_same_bytes()
    {
        // A mean over the tokens of an embedding: the class is whether tokens above 4 prevail.
        Model Bag()
        {
            var graph = new Graph.Ir.OnnxGraph("bag");
            var ids = graph.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"), new Dimension("t"))));
            var rows = graph.Add("Gather", [graph.AddInitializer("table", Tensor.Of(new float[20], 10, 2)), ids], "rows");
            return Training.Of(graph, graph.Add("ReduceMean", [rows, graph.AddInitializer("axes", Tensor.Of([1L], 1))], "y", [Graph.Ir.NodeAttribute.Int("keepdims", 0)]));
        }

        var random = new Random.CounterRandom(2);
        var data = new MemoryData([.. Enumerable.Range(0, 200).Select(_ =>
        {
            var tokens = Enumerable.Range(0, 1 + random.Below(11)).Select(_ => (long)(1 + random.Below(9))).ToArray();
            return new Abstractions.Data.Sample([new("ids", Tensor.Of(tokens, tokens.Length))], new() { Class = tokens.Average() > 5 ? 1 : 0 });
        })]);
        var options = new TrainingOptions
        {
            Data = Training.Data,
            Epochs = 12,
            BatchSize = 8,
            Optimizer = new AdamW { LearningRate = 0.05 },
            Buckets = new Feed.PaddingBuckets { Multiple = 4 },
        };
        using var model = Bag();
        var result = new Trainer(Training.Context(data)).Fit(model, Classification(options));
        Assert.Equal(20, result.Trained.Numbers);
        Assert.InRange(Training.Accuracy(model, data), 0.93, 1);

        using var source = new CancellationTokenSource();
        using var killed = Bag();
        var hook = new KillingHook(source, 40);
        Assert.Throws<OperationCanceledException>(() => new Trainer(Training.Context(data, checkpoints: _folder, cancellation: source.Token))
        {
            CheckpointInterval = TimeSpan.Zero,
        }.Fit(killed, Classification(options, hook)));
        new Trainer(Training.Context(data, checkpoints: _folder, threads: 1)).Fit(killed, Classification(options));
        Assert.Equal(Training.Bytes(model), Training.Bytes(killed));
    }

    [Fact]
    public void Less_memory_for_activations_changes_nothing_but_time()
    {
        float[] Train(double? megabytes)
        {
            using var model = Training.Perceptron();
            new Trainer(Training.Context(Training.Circle(64))).Fit(model, Classification(new TrainingOptions { Data = Training.Data, Epochs = 3, ActivationMemory = megabytes }));
            return Training.Weights(model, "w0");
        }

        Assert.All(Train(null).Zip(Train(0.002)), p => Assert.Equal(p.First, p.Second, 1e-6f));
    }

    sealed class KillingHook(CancellationTokenSource source, int step) : TrainingHook
    {
        public override void AfterUpdate(TrainingState state)
        {
            if (state.Step + 1 == step)
            {
                source.Cancel();
            }
        }
    }

    // Counts updates, in a state that checkpoints keep.
    sealed class CountingHook : TrainingHook
    {
        public Action<int> After { get; init; } = static _ => { };

        public int Count { get; private set; }

        public int Calls { get; private set; }

        public override void AfterUpdate(TrainingState state)
        {
            Count++;
            Calls++;
            Assert.Equal(Count, state.Step + 1);
            Assert.False(state.Weights("w0").Span<float>().IsEmpty);
            After(Count);
        }

        public override void Save(BinaryWriter writer) => writer.Write(Count);

        public override void Load(BinaryReader reader) => Count = reader.ReadInt32();
    }
}
