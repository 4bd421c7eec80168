using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Images;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Pruning.Structured;
using Build.ML.Pruning.Structured.Importances;
using Build.ML.Pruning.Structured.Widths;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class StructuredPruningTests
{
    public static TheoryData<string> Importances => ["l1", "l2", "taylor", "activation"];

    [Theory]
    [MemberData(nameof(Importances))]
    public void Filters_of_zeros_go_first_and_nothing_changes(string importance)
    {
        using var model = Bench.Convolutions();
        foreach (var filter in (int[])[1, 6, 7, 12])
        {
            Bench.Scale(model, "first", filter, 0);
            Bench.Scale(model, "first_bias", filter, 0);
        }

        var data = Bench.Samples(16, 4, 3, 8, 8);
        var before = Bench.Run(model, data);
        var result = Prune(model, new() { Sparsity = 0.25, RoundTo = 4, Include = ["first"], Importance = Of(importance), Data = Bench.Data }, Bench.Context(data));
        Assert.Equal([12L, 3, 3, 3], model.Graph.Find("first")!.Initializer!.Sizes.ToArray());
        Assert.Equal([8L, 12, 3, 3], model.Graph.Find("second")!.Initializer!.Sizes.ToArray());
        Assert.InRange(Bench.Distance(Bench.Run(model, data), before), 0, 1e-5); // sums in another order
        var layer = result.Layers.Single(l => l.Outcome == "pruned");
        Assert.Equal(["before", "after"], layer.Figures.Select(f => f.Key));
        Assert.Equal([16, 12], layer.Figures.Select(f => f.Value));
    }

    [Fact]
    public void Batch_norm_scales_of_zero_go_through_residual_networks_without_a_trace()
    {
        using var model = new CifarResNet { Depth = 14, Size = 16 }.Build(1);
        var inner = Axes(model, AxisKind.Channel).Where(a => a.Places.Count(p => p.Role == AxisRole.Input) == 1).ToArray();
        Assert.True(inner.Length >= 6, "a block has channels of its own");
        foreach (var constant in inner.SelectMany(a => a.Places).Where(p => p.Reader.Is("BatchNormalization") && p.Dimension == 0).ToArray())
        {
            if (constant.Reader.Input(1) == constant.Constant || constant.Reader.Input(2) == constant.Constant)
            {
                Bench.Edit(model, constant.Constant.Name, w => Array.Clear(w, 4, w.Length / 2));
            }
        }

        var data = Bench.Samples(4, 10, 3, 16, 16);
        var before = Bench.Run(model, data);
        Prune(model, new() { Sparsity = 0.5, Importance = new BatchNormImportance(), Include = [.. inner.Select(a => Maker(a))] }, Bench.Context());
        Assert.All(Axes(model, AxisKind.Channel).Where(a => inner.Any(i => i.Name == a.Name)), a => Assert.Equal(inner.Single(i => i.Name == a.Name).Size / 2, a.Size));
        Assert.InRange(Bench.Distance(Bench.Run(model, data), before), 0, 1e-5);
    }

    public static TheoryData<string> Networks => [.. Builders.Keys];

    static readonly Dictionary<string, Architecture> Builders = new(StringComparer.Ordinal)
    {
        ["resnet-cifar"] = new CifarResNet { Depth = 20 },
        ["resnet-cifar, projections"] = new CifarResNet { Depth = 14, Shortcut = Shortcut.Projection },
        ["resnet"] = new ResNet { Width = 0.25, Size = 64, Classes = 10 },
        ["mobilenet-v1"] = new MobileNetV1 { Width = 0.25, Size = 64, Classes = 10 },
        ["mobilenet-v2"] = new MobileNetV2 { Width = 0.35, Size = 64, Classes = 10 },
        ["squeezenet"] = new SqueezeNet { Size = 64, Classes = 10 },
    };

    [Theory]
    [MemberData(nameof(Networks))]
    public void The_multiply_accumulates_asked_for_go_and_hardly_more_in_whole_blocks_of_channels(string name)
    {
        using var model = Builders[name].Build(1);
        var before = Bench.Macs(model);
        var units = ChannelCoupling.Analyze(model).Axes.ToDictionary(a => a.Name, a => RemovalOrder.UnitOf(a, 8));
        var result = Prune(model, new() { RemoveMacs = 0.4 }, Bench.Context());
        var removed = 1 - (double)Bench.Macs(model) / before;
        Assert.InRange(removed, 0.4, 0.5); // a block of 8 channels of the widest layer is less than a tenth of these networks
        foreach (var layer in result.Layers.Where(l => l.Outcome == "pruned"))
        {
            var (size, now) = ((int)layer.Figures[0].Value, (int)layer.Figures[1].Value);
            Assert.Equal(0, now % units[layer.Layer]);
            Assert.True(now < size);
        }

        AssertRuns(model, Builders[name] is CifarResNet ? 32 : 64);
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Costs_foretold_are_those_of_the_model_that_is_made(string name)
    {
        using var model = Builders[name].Build(1);
        var coupling = ChannelCoupling.Analyze(model);
        var costs = new WidthCosts(model, coupling, null);
        var axes = coupling.Axes.Where(a => a.Lock is null && a.Kind == AxisKind.Channel).ToArray();
        Assert.NotEmpty(axes);
        var random = new Random(5);
        var sizes = axes.ToDictionary(a => a, a => (long)random.Next(1, a.Size + 1));
        var (macs, parameters) = (costs.Macs(a => sizes.GetValueOrDefault(a, a.Size)), costs.Parameters(a => sizes.GetValueOrDefault(a, a.Size)));
        coupling.Remove(sizes.Where(s => s.Value < s.Key.Size).ToDictionary(s => s.Key, s => (IReadOnlyList<int>)[.. Enumerable.Range((int)s.Value, s.Key.Size - (int)s.Value)]));
        Assert.Equal(Bench.Macs(model), macs);
        Assert.Equal(Bench.Parameters(model), parameters.Count);
        Assert.Equal(4 * parameters.Count, parameters.Bytes);
    }

    [Theory]
    [InlineData(PruningScope.Layer)]
    [InlineData(PruningScope.Global)]
    public void Parameters_and_bytes_go_as_asked_for(PruningScope scope)
    {
        foreach (var bytes in (bool[])[false, true])
        {
            using var model = new CifarResNet { Depth = 20 }.Build(1);
            var before = Bench.Parameters(model);
            Prune(model, new() { RemoveParameters = bytes ? null : 0.3, RemoveSize = bytes ? 0.3 : null, RoundTo = 2, Scope = scope }, Bench.Context());
            Assert.InRange(1 - (double)Bench.Parameters(model) / before, 0.3, 0.33);
        }
    }

    [Fact]
    public void With_scope_layer_every_axis_loses_the_same_share()
    {
        using var model = new CifarResNet { Depth = 20 }.Build(1);
        var result = Prune(model, new() { Sparsity = 0.5, RoundTo = 4, Scope = PruningScope.Layer }, Bench.Context());
        Assert.All(result.Layers.Where(l => l.Outcome == "pruned"), l => Assert.Equal(0.5, l.Figures[1].Value / l.Figures[0].Value));
        Assert.NotEmpty(result.Layers);
    }

    [Fact]
    public void An_axis_keeps_its_minimum_and_excluded_layers_keep_all()
    {
        using var model = Bench.Convolutions();
        var result = Prune(model, new() { Sparsity = 0.2, RoundTo = 1, Minimum = 12, Exclude = ["second"], Importance = new L1Importance() }, Bench.Context());
        Assert.Equal(12, model.Graph.Find("first")!.Initializer!.Sizes[0]);
        Assert.Equal(8, model.Graph.Find("second")!.Initializer!.Sizes[0]);
        Assert.Equal("excluded by 'second'", result.Layers.Single(l => l.Outcome == "left" && l.Layer.StartsWith("second", StringComparison.Ordinal)).Reason);
    }

    [Fact]
    public void A_target_that_the_least_sizes_do_not_reach_is_an_error_that_says_how_far_it_goes()
    {
        using var model = Bench.Convolutions();
        var error = Assert.Throws<DiagnosticException>(() => Prune(model, new() { RemoveMacs = 0.9, Minimum = 8 }, Bench.Context()));
        var diagnostic = Assert.Single(error.Diagnostics);
        Assert.Equal("BML5633", diagnostic.Code);

        // 16 → 8 halves both convolutions but for the head.
        Assert.Contains("0.4", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void In_several_rounds_the_same_target_is_reached()
    {
        using var model = new CifarResNet { Depth = 20 }.Build(1);
        var before = Bench.Macs(model);
        Prune(model, new() { RemoveMacs = 0.4, Iterations = 4, RoundTo = 2 }, Bench.Context());
        Assert.InRange(1 - (double)Bench.Macs(model) / before, 0.4, 0.43);
        AssertRuns(model, 32);
    }

    [Fact]
    public void The_same_recipe_gives_the_same_bytes()
    {
        byte[] Once()
        {
            using var model = new CifarResNet { Depth = 8, Size = 16 }.Build(1);
            var data = Bench.Samples(12, 10, 3, 16, 16);
            Prune(
                model,
                new() { RemoveMacs = 0.3, Importance = new TaylorImportance(), Data = Bench.Data, Compensate = Compensation.LeastSquares, BatchNorm = BatchNormStatistics.Reestimate },
                Bench.Context(data));
            return model.ToBytes();
        }

        Assert.Equal(Once(), Once());
    }

    [Fact]
    public void The_latency_asked_for_is_reached_by_what_is_measured()
    {
        using var model = new CifarResNet { Depth = 20 }.Build(1);
        var before = Bench.Macs(model);
        var data = Bench.Samples(1, 10, 3, 32, 32);
        var clock = new Clock();
        new StructuredPruner(
            new ChannelPruning.Options { RemoveLatency = 0.5, RoundTo = 2, Data = Bench.Data }, [AxisKind.Channel], Bench.Context(data, new PacedInference(clock)), clock).Prune(model);

        // The stand-in takes time in proportion to multiply-accumulates; a block of channels is a few percent.
        Assert.InRange(1 - (double)Bench.Macs(model) / before, 0.5, 0.56);
    }

    [Fact]
    public void Measured_with_the_runtime_a_model_of_half_the_work_takes_less_time()
    {
        using var model = new CifarResNet { Depth = 20 }.Build(1);
        using var ratio = new LatencyRatio(model, [new("", Tensor.Of(new float[3 * 32 * 32], 1, 3, 32, 32))], Bench.Context(), TimeProvider.System);
        Prune(model, new() { RemoveMacs = 0.6 }, Bench.Context());
        Assert.InRange(ratio.Of(model), 0.2, 0.9);
    }

    [Fact]
    public void Hidden_units_of_encoders_and_of_gated_decoders_go()
    {
        foreach (var architecture in (Architecture[])
            [
                new BertEncoder { Layers = 2, Hidden = 32, Heads = 4, Intermediate = 64, Vocabulary = 100, Classes = 2, Length = 16 },
                new LlamaDecoder { Layers = 2, Hidden = 32, Heads = 4, KeyHeads = 2, Intermediate = 64, Vocabulary = 100, Length = 16 },
            ])
        {
            using var model = architecture.Build(1);
            var result = new NeuronPruning().Apply(model, new() { Sparsity = 0.5, Scope = PruningScope.Layer, Exclude = architecture is BertEncoder ? ["*pool*"] : [] }, Bench.Context());
            var pruned = result.Layers.Where(l => l.Outcome == "pruned").ToArray();
            Assert.Equal(2, pruned.Length);
            Assert.All(pruned, l => Assert.Equal([64, 32], l.Figures.Select(f => f.Value)));
            using var session = new OnnxRuntimeInference().Open(model);
            var feeds = session.Inputs.Select(i => KeyValuePair.Create(
                i.Key, Tensor.Of(Enumerable.Repeat(1L, 16).ToArray(), 1, 16))).ToArray();
            Assert.All(session.Run([.. feeds])[0].ToArray<float>(), x => Assert.True(float.IsFinite(x)));
        }
    }

    [Fact]
    public void Exactly_one_target_is_needed_and_data_where_it_is_used()
    {
        Assert.NotEmpty(Mistakes(new()));
        Assert.NotEmpty(Mistakes(new() { Sparsity = 0.5, RemoveMacs = 0.5 }));
        Assert.NotEmpty(Mistakes(new() { RemoveLatency = 0.5 }));
        Assert.NotEmpty(Mistakes(new() { Sparsity = 0.5, Compensate = Compensation.LeastSquares }));
        Assert.NotEmpty(Mistakes(new() { Sparsity = 0.5, BatchNorm = BatchNormStatistics.Reestimate }));
        Assert.Empty(Mistakes(new() { Sparsity = 0.5 }));

        static IEnumerable<ValidationResult> Mistakes(ChannelPruning.Options options) => options.Validate(new ValidationContext(options));
    }

    [Fact]
    public void A_model_without_such_axes_is_an_error()
    {
        using var model = Bench.Perceptron();
        var error = Assert.Throws<DiagnosticException>(() => Prune(model, new() { Sparsity = 0.5 }, Bench.Context()));
        Assert.Equal("BML5406", Assert.Single(error.Diagnostics).Code);
    }

    static StepResult Prune(Model model, ChannelPruning.Options options, StepContext context) => new ChannelPruning().Apply(model, options, context);

    static ChannelAxis[] Axes(Model model, AxisKind kind) => [.. ChannelCoupling.Analyze(model).Axes.Where(a => a.Lock is null && a.Kind == kind)];

    static string Maker(ChannelAxis axis) => axis.Places.First(p => p.Role == AxisRole.Output).Constant.Name;

    static Importance Of(string name) => name switch
    {
        "l1" => new L1Importance(),
        "l2" => new L2Importance(),
        "taylor" => new TaylorImportance(),
        _ => new ActivationImportance(),
    };

    static void AssertRuns(Model model, int size)
    {
        Assert.Empty(model.Validate());
        using var session = new OnnxRuntimeInference().Open(model);
        var scores = session.Run([new("", Tensor.Of(Bench.Numbers(new Random(1), 3 * size * size, 1), 1, 3, size, size))])[0];
        Assert.Equal([1L, 10], scores.Sizes.ToArray());
        Assert.All(scores.ToArray<float>(), x => Assert.True(float.IsFinite(x)));
    }

    // Runs take time in proportion to the multiply-accumulates of the model.
    sealed class PacedInference(Clock clock) : IInference
    {
        public string Runtime => "paced";

        public IInferenceSession Open(Model model, InferenceOptions? options = null) => new Session(clock, Bench.Macs(model));

        sealed class Session(Clock clock, long macs) : IInferenceSession
        {
            public System.Collections.Immutable.ImmutableArray<KeyValuePair<string, OnnxType>> Inputs => [];

            public System.Collections.Immutable.ImmutableArray<string> Outputs => [];

            public System.Collections.Immutable.ImmutableArray<Tensor> Run(System.Collections.Immutable.ImmutableArray<KeyValuePair<string, Tensor>> feeds)
            {
                clock.Now += macs;
                return [];
            }

            public void Dispose()
            {
            }
        }
    }

    sealed class Clock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => Now;
    }
}
