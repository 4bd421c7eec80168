using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Gptq;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Tests.Gptq;

public sealed class GptqQuantizationTests
{
    [Theory]
    [InlineData(4, true)]
    [InlineData(3, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Outputs_on_data_like_the_calibration_data_are_nearer_than_after_rounding_to_nearest(int bits, bool sequential)
    {
        var input = Batch(500, 64);
        using var original = Models.Perceptron();
        var expected = Step.Run(original, input);
        using var nearest = Models.Perceptron();
        new WeightQuantization().Apply(nearest, new() { Bits = bits, AccuracyLevel = 0 }, Step.Context());
        using var solved = Models.Perceptron();
        var options = new GptqQuantization.Options { Data = Step.Data, Bits = bits, AccuracyLevel = 0, Sequential = sequential };
        var result = new GptqQuantization().Apply(solved, options, Step.Context(new Correlated(300)));

        // 1.5 dB: three tenths of the error's power, far beyond chance over 1,536 outputs.
        Assert.True(Step.Sqnr(expected, Step.Run(solved, input)) > Step.Sqnr(expected, Step.Run(nearest, input)) + 1.5);
        Assert.Equal(["quantized", "quantized"], result.Layers.Select(l => l.Outcome));
        foreach (var layer in result.Layers)
        {
            var figures = layer.Figures.ToDictionary();
            Assert.InRange(figures["output_error_to_rtn"], 0.01, 0.75);
            Assert.Equal(300, figures["calibration_inputs"]);
            Assert.Equal(0.01, figures["dampening"]);
        }
    }

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(1, 2, 0, 1)]
    [InlineData(4, 1, 1, 2)]
    [InlineData(16, 1, 1, 1)]
    public void A_convolutions_output_error_is_what_its_hessian_says(int groups, int stride, int pad, int dilation)
    {
        using var model = Convolution(groups, stride, pad, dilation);
        var data = new NormalData(12, 16, 9, 9);
        var options = new GptqQuantization.Options { Data = Step.Data, Bits = 4, BlockSize = 0, Form = WeightForm.DequantizeLinear, Dampening = 0, Clip = WeightClip.None };
        using var original = Convolution(groups, stride, pad, dilation);
        var layer = WeightLayers.Find(original, new(original, [], [], []), "Conv").Layers.Single();
        var solution = Solve(model, options, data).Layers.Single();
        var input = Stack(data);
        var (expected, actual) = (Step.Run(original, input), Step.Run(model, input));
        double error = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            error += Math.Pow(expected[i] - actual[i], 2);
        }

        // The mean over positions of the squared error of all outputs; and rounding to nearest in the same form is worse by the ratio reported.
        using var nearest = Convolution(groups, stride, pad, dilation);
        new WeightQuantization().Apply(nearest, new() { Bits = 4, BlockSize = 0, Form = WeightForm.DequantizeLinear }, Step.Context());
        var rounded = Step.Run(nearest, input);
        double nearestError = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            nearestError += Math.Pow(expected[i] - rounded[i], 2);
        }

        Assert.Equal(16 / groups * 9, layer.Columns);
        Assert.Equal(solution.Figures.ToDictionary()["output_error_to_rtn"], error / nearestError, 1e-3);
        Assert.True(error < nearestError);
    }

    [Fact]
    public void A_later_layer_makes_up_for_earlier_ones_only_in_sequential_order()
    {
        using var original = Models.Residual();
        var images = Numbers.Tensor(901, 1, 16, 3, 16, 16);
        var expected = Step.Run(original, images);
        var sqnr = new Dictionary<bool, double>();
        foreach (var sequential in new[] { true, false })
        {
            using var model = Models.Residual(21);
            var options = new GptqQuantization.Options
            {
                Data = Step.Data,
                Bits = 3,
                BlockSize = 0,
                Form = WeightForm.DequantizeLinear,
                Sequential = sequential,
            };
            Solve(model, options, new NormalData(40, 3, 16, 16));
            sqnr[sequential] = Step.Sqnr(expected, Step.Run(model, images));
        }

        using var nearest = Models.Residual(21);
        new WeightQuantization().Apply(nearest, new() { Bits = 3, BlockSize = 0, Form = WeightForm.DequantizeLinear }, Step.Context());
        Assert.True(sqnr[true] > Step.Sqnr(expected, Step.Run(nearest, images)) + 1.5, $"{sqnr[true]}");
        Assert.NotEqual(sqnr[true], sqnr[false]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the runtime rounds half-precision activations where a piece of the run ends: it must end where it ended before
    public void A_killed_step_goes_on_at_the_layer_where_it_was_with_the_same_bytes(bool isHalf)
    {
        var data = isHalf ? new NormalData(40, 48) : Images;
        var make = () => isHalf ? Models.HalfChain(6) : Models.Residual(21);
        var folder = Directory.CreateTempSubdirectory("gptq").FullName;
        try
        {
            var expected = Bytes(Solve(make(), Three, data).Model);
            using (var killed = make())
            {
                var context = Step.Context(data) with { CheckpointDirectory = folder, Progress = new Recorder(p => Throw.If(p.Phase.StartsWith("layer 4/", StringComparison.Ordinal))) };
                Assert.Throws<OperationCanceledException>(() => new GptqQuantization().Apply(killed, Three, context));
            }

            Assert.Equal(3, Directory.GetFiles(folder, "*.solution").Length);
            var times = Directory.GetFiles(folder).ToDictionary(f => f, File.GetLastWriteTimeUtc);

            // As after a power cut: the last file is cut short, and there is one that was never renamed.
            File.WriteAllBytes(Path.Combine(folder, "layer-00002.solution"), File.ReadAllBytes(Path.Combine(folder, "layer-00002.solution"))[..^5]);
            File.WriteAllText(Path.Combine(folder, "layer-00003.solution.tmp"), "half");
            using var resumed = make();
            new GptqQuantization().Apply(resumed, Three, Step.Context(data) with { CheckpointDirectory = folder });
            Assert.Equal(expected, Bytes(resumed));
            Assert.Equal(times[Path.Combine(folder, "layer-00001.solution")], File.GetLastWriteTimeUtc(Path.Combine(folder, "layer-00001.solution")));
            Assert.Equal(6, Directory.GetFiles(folder, "*.solution").Length);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Bytes_do_not_depend_on_threads(bool sequential)
    {
        var options = Three with { Sequential = sequential };
        using var one = Models.Residual(21);
        using var three = Models.Residual(21);
        new GptqQuantization().Apply(one, options, Step.Context(Images, threads: 1));
        new GptqQuantization().Apply(three, options, Step.Context(Images, threads: 3));
        Assert.Equal(Bytes(one), Bytes(three));
    }

    [Fact]
    public void Hessians_of_the_unchanged_model_come_from_the_cache_the_second_time()
    {
        var options = Three with { Sequential = false };
        var cache = new MemoryCache();
        using var first = Models.Residual(21);
        new GptqQuantization().Apply(first, options, Step.Context(Images) with { Cache = cache, DataFingerprint = _ => "images" });
        Assert.Equal(6, cache.Count); // five convolutions, of which none shares its input, and the classifier
        using var second = Models.Residual(21);
        new GptqQuantization().Apply(second, options, Step.Context(Images) with { Cache = cache, DataFingerprint = _ => "images", Inference = new NoInference() });
        Assert.Equal(Bytes(first), Bytes(second));
        using var fewer = Models.Residual(21);
        Assert.Throws<NotSupportedException>(() => new GptqQuantization().Apply(
            fewer, options with { Samples = 5 }, Step.Context(Images) with { Cache = cache, DataFingerprint = _ => "images", Inference = new NoInference() }));
    }

    [Fact]
    public void Layers_that_calibration_does_not_reach_are_rounded_to_nearest_and_said_to_be()
    {
        using var model = Models.Perceptron();
        var graph = model.Graph;
        var table = graph.AddInitializer("table", Numbers.Tensor(40, 1, 50, 32));
        var row = graph.Add("Gather", [table, graph.AddInitializer("id", Tensor.Of<long>([7], 1))], "row");
        var constant = graph.Add("MatMul", [row, graph.AddInitializer("head", Numbers.Tensor(41, 1, 32, 24))], "constant");
        var sum = graph.Add("Add", [graph.Outputs[0], constant], "sum");
        sum.Type = graph.Outputs[0].Type;
        graph.SetOutput(0, sum);
        var options = new GptqQuantization.Options { Data = Step.Data };
        var result = new GptqQuantization().Apply(model, options, Step.Context(new Correlated(50)));
        var reasons = result.Layers.ToDictionary(l => l.Layer, l => l.Reason);
        Assert.Equal("rounded to nearest: a look-up multiplies nothing", reasons["row"]);
        Assert.Equal("rounded to nearest: what it multiplies does not depend on the data", reasons["constant"]);
        Assert.Equal("", reasons["first"]);
        Assert.Equal(4, result.Layers.Count(l => l.Outcome == "quantized"));
        using var without = Models.Perceptron();
        var excluding = new GptqQuantization.Options { Data = Step.Data, Exclude = ["first"] };
        Assert.Equal("left", new GptqQuantization().Apply(without, excluding, Step.Context(new Correlated(50))).Layers.Single(l => l.Layer == "first").Outcome);
    }

    [Fact]
    public void What_the_step_takes_is_said_before_it_starts()
    {
        var said = new List<Diagnostic>();
        using var model = Models.Perceptron();
        new GptqQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(new Correlated(20)) with { Report = said.Add });
        var diagnostic = Assert.Single(said);
        Assert.Equal(("BML5420", Severity.Info), (diagnostic.Code, diagnostic.Severity));
        Assert.Contains("GB of memory at the peak", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hessian_that_memory_cannot_hold_is_an_error_before_anything_is_run()
    {
        using var model = new Model(new OnnxGraph("wide"), 17) { IrVersion = 8 };
        const int Width = 8_000_000;
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), Width)));
        var weight = new Tensor(DataType.Float, [Width, 1], new ComputedContent(4L * Width, () => new byte[4 * Width]));
        var y = model.Graph.Add("MatMul", [x, model.Graph.AddInitializer("w", weight)], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 1));
        model.Graph.AddOutput(y);
        var data = new NormalData(1, Width);
        var error = Assert.Throws<DiagnosticException>(() => new GptqQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(data)));
        Assert.Equal("BML5421", error.Diagnostics[0].Code);
    }

    [Fact]
    public void Infinite_activations_are_an_error_that_names_them()
    {
        using var model = Models.Perceptron();
        var error = Assert.Throws<DiagnosticException>(() => new GptqQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(new Huge(float.PositiveInfinity))));
        Assert.Equal("BML5405", error.Diagnostics[0].Code);
        Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Inputs_whose_squares_overflow_are_an_error_that_names_the_layer()
    {
        using var model = Models.Perceptron();
        var error = Assert.Throws<DiagnosticException>(() => new GptqQuantization().Apply(model, new() { Data = Step.Data }, Step.Context(new Huge(1e25f))));
        Assert.Equal("BML5423", error.Diagnostics[0].Code);
        Assert.Contains("'first'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_raised_dampening_is_reported()
    {
        // Fewer samples than inputs leave the Hessian singular.
        using var model = Models.Perceptron();
        var result = new GptqQuantization().Apply(model, new() { Data = Step.Data, Dampening = 0, Samples = 5 }, Step.Context(new Correlated(50)));
        var first = result.Layers.Single(l => l.Layer == "first");
        Assert.InRange(first.Figures.ToDictionary()["dampening"], 1e-5, 1e-2);
        Assert.Contains("not positive definite with a dampening of 0", first.Reason, StringComparison.Ordinal);
    }

    private static GptqQuantization.Options Three => new()
    {
        Data = Step.Data,
        Bits = 3,
        BlockSize = 16,
        Form = WeightForm.DequantizeLinear,
        Samples = 6,
    };

    private static NormalData Images => new(8, 3, 16, 16);

    private static StepResult Solve(Model model, GptqQuantization.Options options, DataSet data) => new GptqQuantization().Apply(model, options, Step.Context(data));

    private static byte[] Bytes(Model model) => model.ToBytes();

    private static Model Convolution(int groups, int stride, int pad, int dilation)
    {
        var model = new Model(new OnnxGraph("convolution"), 21) { IrVersion = 10 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 16, 9, 9)));
        var y = model.Graph.Add(
            "Conv",
            [x, model.Graph.AddInitializer("w", Numbers.Tensor(33, 0.3, 32, 16 / groups, 3, 3))],
            "y",
            [
                NodeAttribute.Ints("strides", stride, stride), NodeAttribute.Ints("pads", pad, pad, pad, pad), NodeAttribute.Ints("dilations", dilation, dilation),
                NodeAttribute.Int("group", groups),
            ]);
        y.Type = new TensorType(DataType.Float, new Shape(Enumerable.Repeat(Dimension.Unknown, 4)));
        model.Graph.AddOutput(y);
        return model;
    }

    private static Tensor Stack(DataSet data) => data.Batches(data.Count).Single().Inputs[0].Value;

    private static Tensor Batch(int first, int count)
    {
        var data = new Correlated(first + count);
        return Tensor.Of(Enumerable.Range(first, count).SelectMany(i => data[i].Inputs[0].Value.ToArray<float>()).ToArray(), count, 48);
    }

    /// <summary>48 numbers that are mixtures of 12, and a little of their own: what layers of real models see.</summary>
    private sealed class Correlated(int count) : DataSet
    {
        private static readonly float[] Mixture = Numbers.Normal(77, 12 * 48, 0.3);

        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                var latent = Numbers.Normal(5000 + index, 12, 1);
                var x = Numbers.Normal(9000 + index, 48, 0.2);
                for (var i = 0; i < 12; i++)
                {
                    for (var j = 0; j < 48; j++)
                    {
                        x[j] += latent[i] * Mixture[i * 48 + j];
                    }
                }

                return new([new("", Tensor.Of(x, 48))], Label.None);
            }
        }
    }

    private sealed class Huge(float first) : DataSet
    {
        public override int Count => 1;

        public override Sample this[int index] => new([new("", Tensor.Of([first, .. new float[47]], 48))], Label.None);
    }

    private sealed class MemoryCache : IDerivedCache
    {
        private readonly Dictionary<string, byte[]> _kept = [];

        public int Count => _kept.Count;

        public Stream? TryOpen(DerivedKey key) => _kept.TryGetValue(key.ToString(), out var bytes) ? new MemoryStream(bytes) : null;

        public void Add(DerivedKey key, Action<Stream> write)
        {
            using var stream = new MemoryStream();
            write(stream);
            _kept[key.ToString()] = stream.ToArray();
        }

        public IDisposable Hold(DerivedKey key) => NoDerivedCache.Instance.Hold(key);
    }

    private sealed class NoInference : IInference
    {
        public string Runtime => "none";

        public IInferenceSession Open(Model model, InferenceOptions? options = null) => throw new NotSupportedException("Nothing may be run.");
    }

    private sealed class Recorder(Action<StepProgress> report) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => report(value);
    }

    private static class Throw
    {
        public static void If(bool condition)
        {
            if (condition)
            {
                throw new OperationCanceledException("killed");
            }
        }
    }
}
