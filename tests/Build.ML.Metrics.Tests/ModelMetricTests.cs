using System.IO.Compression;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Running;
using Build.ML.OnnxRuntime;

namespace Build.ML.Metrics.Tests;

public sealed class ModelMetricTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A chain of `layers` products of [n, width] with width², bias added: width²+width weights and n·width² multiply-accumulates each.
    static Model Chain(int layers, int width)
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), width)));
        for (var i = 0; i < layers; i++)
        {
            var w = graph.AddInitializer("w", Tensor.Of(Enumerable.Range(0, width * width).Select(k => k % 7 * 0.01f).ToArray(), width, width));
            x = graph.Add("Gemm", [x, w, graph.AddInitializer("b", Tensor.Of(new float[width]))], "h");
        }

        x.Type = new TensorType(DataType.Float);
        graph.AddOutput(x);
        return new Model(graph);
    }

    sealed class Vectors(int count, int width) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index] => new([new("", Tensor.Of(Enumerable.Repeat(index * 0.1f, width).ToArray()))], Label.None);
    }

    MetricContext Context(Model model, Model source, DataSet? data)
    {
        var (file, sourceFile) = (_folder.PathOf("m.onnx"), _folder.PathOf("s.onnx"));
        model.Save(file);
        source.Save(sourceFile);
        return new MetricContext
        {
            Model = model,
            ModelFile = file,
            Source = source,
            SourceFile = sourceFile,
            Data = data,
            Inference = new OnnxRuntimeInference(),
        };
    }

    [Fact]
    public void Size_counts_external_data_too()
    {
        using var small = Chain(1, 8);
        using var large = Chain(1, 64);
        var context = Context(small, large, null);
        large.Save(context.SourceFile, new SaveOptions { ExternalData = ExternalData.Always });
        var value = new SizeMetric().Measure(new NoOptions(), context)[0];
        Assert.Equal(new FileInfo(context.ModelFile).Length, value.Value);
        Assert.Equal(new FileInfo(context.SourceFile).Length + new FileInfo(context.SourceFile + ".data").Length, value.SourceValue);
        Assert.InRange(value.SourceValue!.Value, 64 * 64 * 4, (64 * 64 * 4) + 1000);
    }

    [Fact]
    public void Gzip_size_is_what_gzip_makes_of_the_file()
    {
        using var model = Chain(2, 64);
        var context = Context(model, model, null);
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(File.ReadAllBytes(context.ModelFile));
        Assert.Equal(packed.Length, new GzipSizeMetric().Measure(new NoOptions(), context)[0].Value);
    }

    [Fact]
    public void Packed_size_is_what_the_packed_file_takes_and_shows_zeros()
    {
        using var model = Chain(2, 64);
        using var zeros = model.Clone();
        foreach (var value in zeros.Graph.Initializers.ToArray())
            zeros.Graph.SetInitializer(value, Tensor.Of(new float[value.Initializer!.Count], value.Initializer.Sizes.AsSpan()));
        var context = Context(zeros, model, null);
        var figure = new PackedSizeMetric().Measure(new NoOptions(), context)[0];
        Assert.Equal(Packing.PackedModel.Pack(File.ReadAllBytes(context.ModelFile)).Length, figure.Value);
        Assert.Equal(Packing.PackedModel.Pack(File.ReadAllBytes(context.SourceFile)).Length, figure.SourceValue);
        Assert.True(figure.Value < 0.1 * figure.SourceValue);
    }

    [Fact]
    public void Parameters_and_macs_of_a_chain_are_the_closed_form()
    {
        using var model = Chain(3, 10);
        var context = Context(model, model, new Vectors(4, 10));
        Assert.Equal(3 * 110, new ParametersMetric().Measure(new NoOptions(), context)[0].Value);
        Assert.Equal(3 * 100, new MacsMetric().Measure(new NoOptions(), context)[0].Value);
        var error = Assert.Throws<DiagnosticException>(() => new MacsMetric().Measure(new NoOptions(), context with { Data = null }));
        Assert.Equal(Enumerable.Repeat("BML6106", 3), error.Diagnostics.Select(d => d.Code)); // the batch size is a symbol
    }

    [Fact]
    public void Macs_of_convolutions_and_recurrent_layers_are_the_closed_form()
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 4, 9, 9)));
        var w = graph.AddInitializer("w", Tensor.Of(new float[6 * 2 * 9], 6, 2, 3, 3));
        var conv = graph.Add("Conv", [x, w], "c", [NodeAttribute.Int("group", 2), NodeAttribute.Ints("strides", 2, 2)]); // [1,6,4,4]
        var up = graph.Add("ConvTranspose", [conv, graph.AddInitializer("u", Tensor.Of(new float[6 * 5 * 4], 6, 5, 2, 2))], "t"); // [1,5,5,5]
        var rows = graph.Add("Reshape", [up, graph.AddInitializer("shape", Tensor.Of([25L, 1L, 5L]))], "r");
        var lstm = graph.Add(
            "LSTM", [rows, graph.AddInitializer("wi", Tensor.Of(new float[4 * 3 * 5], 1, 12, 5)), graph.AddInitializer("wr", Tensor.Of(new float[4 * 3 * 3], 1, 12, 3))],
            "l", [NodeAttribute.Int("hidden_size", 3)]);
        graph.AddOutput(lstm);
        using var model = new Model(graph);
        const int convolution = 6 * 4 * 4 * 2 * 9, transposed = 6 * 4 * 4 * 5 * 4, recurrent = 25 * 12 * (5 + 3);
        Assert.Equal(convolution + transposed + recurrent, MacsMetric.Count(model, null, new OnnxRuntimeInference()));
    }

    [Fact]
    public void Sizes_that_only_a_run_tells_are_counted_too()
    {
        // How many elements are not zero is data: inference cannot know the rows of the product.
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 6)));
        var rows = graph.Add("Cast", [graph.Add("NonZero", [x], "z")], "f", [NodeAttribute.Int("to", (long)DataType.Float)]); // [2, nonzero]
        var product = graph.Add("MatMul", [graph.Add("Transpose", [rows], "t"), graph.AddInitializer("w", Tensor.Of(new float[14], 2, 7))], "y");
        product.Type = new TensorType(DataType.Float);
        graph.AddOutput(product);
        using var model = new Model(graph);
        var sample = new Sample([new("", Tensor.Of([1f, 0f, 2f, 3f, 0f, 4f]))], Label.None);
        Assert.Equal(4 * 2 * 7, MacsMetric.Count(model, sample, new OnnxRuntimeInference()));
    }

    [Fact]
    public void Latency_and_throughput_tell_a_large_model_from_a_small_one()
    {
        using var small = Chain(1, 8);
        using var large = Chain(8, 512);

        // About 2 million multiply-accumulates against 64: far more apart than any disturbance.
        var context = Context(small, large, null) with { Data = new Vectors(3, 8) };
        var error = Assert.Throws<DiagnosticException>(() => new LatencyMetric().Measure(new(), context));
        Assert.Equal("BML5105", error.Diagnostics[0].Code); // the source takes other samples

        using var narrow = Chain(1, 512);
        context = Context(narrow, large, new Vectors(3, 512));
        var latency = new LatencyMetric().Measure(new() { Runs = 30 }, context);
        Assert.Equal(["latency_p50", "latency_p95"], latency.Select(v => v.Name));
        Assert.True(latency[0].Value < latency[0].SourceValue, $"{latency[0].Value} s, source {latency[0].SourceValue} s");
        Assert.True(latency[0].Value <= latency[1].Value);
        var throughput = new ThroughputMetric().Measure(new() { Batch = 2, Samples = 3 }, context)[0];
        Assert.True(throughput.Value > throughput.SourceValue, $"{throughput.Value}/s, source {throughput.SourceValue}/s");
        Assert.Equal("BML6105", Assert.Throws<DiagnosticException>(() => new LatencyMetric().Measure(new(), context with { Data = null })).Diagnostics[0].Code);
    }

    [Fact]
    public void The_source_model_is_measured_once_and_equals_itself()
    {
        using var model = Chain(1, 64);
        var context = Context(model, model, new Vectors(3, 64));
        var value = new LatencyMetric().Measure(new() { Runs = 9 }, context)[0];
        Assert.Equal(value.SourceValue, value.Value);
    }

    [Fact]
    public void Energy_says_how_it_was_measured_and_follows_the_work()
    {
        using var small = Chain(1, 512);
        using var large = Chain(16, 512);
        var energy = new EnergyMetric().Measure(new() { Rounds = 5, Runs = 40, Watts = 10 }, Context(small, large, new Vectors(3, 512)))[0];
        Assert.True(energy.Value < energy.SourceValue, $"{energy.Value} J, source {energy.SourceValue} J");
        Assert.True(energy.Note == "CPU seconds × 10 W" || energy.Note.StartsWith("RAPL", StringComparison.Ordinal), energy.Note);
    }

    [Fact]
    public void Peak_memory_sees_what_a_model_takes()
    {
        using var small = Chain(1, 512);
        using var large = Chain(30, 1024); // 126 MB of weights
        var memory = new PeakMemoryMetric().Measure(new NoOptions(), Context(large, small, new Vectors(1, 1024)) with { Source = large, SourceFile = _folder.PathOf("m.onnx") })[0];
        Assert.InRange(memory.Value, 100e6, 1e9);
    }

    [Fact]
    public void Joules_survive_the_counters_wrap_around()
    {
        foreach (var (name, value) in new[] { ("name", "package-0"), ("energy_uj", "900000"), ("max_energy_range_uj", "1000000") })
            _folder.Write($"intel-rapl:0/{name}", value);
        _folder.Write("intel-rapl:0:0/name", "core");
        var counter = RaplCounter.Find(_folder.FullPath)!;
        var start = counter.Read();
        _folder.Write("intel-rapl:0/energy_uj", "950000\n");
        Assert.Equal(0.05, counter.Read() - start, 1e-9);
        _folder.Write("intel-rapl:0/energy_uj", "200000");
        Assert.Equal(0.3, counter.Read() - start, 1e-9); // 0.05 + (1.0 − 0.95) + 0.2
        File.Delete(_folder.PathOf("intel-rapl:0/max_energy_range_uj"));
        Assert.Null(RaplCounter.Find(_folder.FullPath));
        Assert.Null(RaplCounter.Find(_folder.PathOf("nothing")));
    }

    [Fact]
    public void Percentiles_interpolate()
    {
        Assert.Equal(2.5, Percentile.Of([4, 1, 3, 2], 0.5));
        Assert.Equal(3.85, Percentile.Of([4, 1, 3, 2], 0.95), 1e-12);
        Assert.Equal(7, Percentile.Of([7], 0.95));
    }
}
