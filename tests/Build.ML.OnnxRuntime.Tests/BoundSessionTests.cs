using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime.Tests;

public sealed class BoundSessionTests
{
    static readonly OnnxRuntimeInference Runtime = new();

    static Value Input(OnnxGraph graph, string name, params ReadOnlySpan<long> sizes) => graph.AddInput(name, new TensorType(DataType.Float, Shape.Of(sizes)));

    static Model With(OnnxGraph graph, params ReadOnlySpan<Value> outputs)
    {
        foreach (var output in outputs)
        {
            output.Type ??= new TensorType(DataType.Float);
            graph.AddOutput(output);
        }

        return new Model(graph);
    }

    // y = x·w, with both fed.
    static Model Product(int rows, int inner, int columns)
    {
        var graph = new OnnxGraph("g");
        var y = graph.Add("MatMul", [Input(graph, "x", rows, inner), Input(graph, "w", inner, columns)], "y");
        y.Type = new TensorType(DataType.Float, Shape.Of(rows, columns));
        return With(graph, y);
    }

    static Dictionary<string, TensorBuffer> Buffers(params ReadOnlySpan<(string Name, long[] Sizes)> all)
    {
        var buffers = new Dictionary<string, TensorBuffer>();
        foreach (var (name, sizes) in all)
        {
            buffers.Add(name, new TensorBuffer(DataType.Float, sizes));
        }

        return buffers;
    }

    static void Fill(TensorBuffer buffer, int seed)
    {
        var random = new Random(seed);
        foreach (ref var x in buffer.Span<float>())
        {
            x = random.NextSingle() - 0.5f;
        }
    }

    [Fact]
    public void A_run_reads_what_the_buffers_hold_now_and_writes_into_the_output()
    {
        var buffers = Buffers(("x", [1, 2]), ("w", [2, 2]), ("y", [1, 2]));
        using var session = Runtime.Bind(Product(1, 2, 2), buffers);
        buffers["x"].CopyFrom(Tensor.Of([1f, 2f], 1, 2));
        buffers["w"].CopyFrom(Tensor.Of([1f, 3f, 5f, 7f], 2, 2));
        session.Run();
        Assert.Equal([11f, 17f], buffers["y"].Span<float>());
        buffers["w"].Span<float>()[3] = 0f; // an optimizer's step in place
        session.Run();
        Assert.Equal([11f, 3f], buffers["y"].Span<float>());
    }

    [Fact]
    public void Sessions_may_share_a_buffer_and_extra_outputs_are_bound_too()
    {
        var graph = new OnnxGraph("g");
        var inner = graph.Add("Neg", [Input(graph, "y", 1, 2)], "inner");
        var model = With(graph, graph.Add("Abs", [inner], "z"));
        var buffers = Buffers(("x", [1, 2]), ("w", [2, 2]), ("y", [1, 2]), ("inner", [1, 2]), ("z", [1, 2]));
        using var first = Runtime.Bind(Product(1, 2, 2), buffers.Where(b => b.Key is "x" or "w" or "y").ToDictionary());
        using var second = Runtime.Bind(
            model, buffers.Where(b => b.Key is "y" or "inner" or "z").ToDictionary(), new InferenceOptions { ExtraOutputs = ["inner"] });
        buffers["x"].CopyFrom(Tensor.Of([1f, -2f], 1, 2));
        buffers["w"].CopyFrom(Tensor.Of([1f, 3f, 5f, -7f], 2, 2));
        first.Run();
        second.Run();
        Assert.Equal([9f, -17f], buffers["inner"].Span<float>());
        Assert.Equal([9f, 17f], buffers["z"].Span<float>());
    }

    [Fact]
    public void An_output_that_is_an_input_is_copied()
    {
        var graph = new OnnxGraph("g");
        var x = Input(graph, "x", 2);
        var same = graph.Add("Identity", [x], "same");
        var reshaped = graph.Add("Unsqueeze", [x, graph.AddInitializer("axes", Tensor.Of([0L]))], "reshaped");
        var buffers = Buffers(("x", [2]), ("same", [2]), ("reshaped", [1, 2]));
        using var session = Runtime.Bind(With(graph, same, reshaped), buffers);
        for (var run = 1; run < 3; run++)
        {
            buffers["x"].Span<float>().Fill(run);
            session.Run();
            Assert.Equal([run, run], buffers["same"].Span<float>());
            Assert.Equal([run, run], buffers["reshaped"].Span<float>());
        }
    }

    [Fact]
    public void Buffers_that_do_not_fit_are_named_all_at_once()
    {
        var buffers = Buffers(("x", [1, 3]), ("y", [2, 2]), ("v", [1]));
        var error = Assert.Throws<DiagnosticException>(() => Runtime.Bind(Product(1, 2, 2), buffers));
        Assert.Equal(["BML5105", "BML5105", "BML5105", "BML5105"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains("input 'x' is float[1,2], the buffer bound to it float[1,3]", error.Message);
        Assert.Contains("no buffer is bound to input 'w'", error.Message);
        Assert.Contains("output 'y' is float[1,2], the buffer bound to it float[2,2]", error.Message);
        Assert.Contains("a buffer is bound to 'v'", error.Message);
    }

    [Fact]
    public void A_run_allocates_nothing()
    {
        var buffers = Buffers(("x", [8, 8]), ("w", [8, 8]), ("y", [8, 8]));
        using var session = Runtime.Bind(Product(8, 8, 8), buffers);
        long Hundred()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++)
            {
                session.Run();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, Math.Min(Hundred(), Hundred())); // what the runtime allocates once, at some run, is not the runs'
    }

    [Fact]
    public void A_run_in_progress_stops_when_cancelled_and_the_session_runs_again()
    {
        // Long enough that it cannot end in the 50 ms before the cancellation: 400 products of 512 x 512 matrices take 100 Gflop.
        var graph = new OnnxGraph("g");
        var x = Input(graph, "x", 512, 512);
        var y = x;
        for (var i = 0; i < 400; i++)
        {
            y = graph.Add("MatMul", [y, x], $"y{i}");
        }

        var buffers = Buffers(("x", [512, 512]), (y.Name, [512, 512]));
        using var session = Runtime.Bind(With(graph, y), buffers);
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        Assert.Throws<OperationCanceledException>(() => session.Run(source.Token));
        session.Run();
        Assert.Throws<OperationCanceledException>(() => session.Run(new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData("Conv")]
    [InlineData("MatMul")]
    [InlineData("Gemm")]
    [InlineData("ReduceSum")]
    [InlineData("Softmax")]
    [InlineData("LayerNormalization")]
    [InlineData("ScatterElements")]
    public void One_and_two_threads_give_the_same_bits(string op)
    {
        var graph = new OnnxGraph("g");
        var x = Input(graph, "x", 6, 32, 48, 48);
        var y = op switch
        {
            "Conv" => graph.Add("Conv", [x, graph.AddInitializer("w", Random(16, 32, 3, 3))], "y", [NodeAttribute.Ints("pads", [1, 1, 1, 1])]),
            "MatMul" => graph.Add("MatMul", [x, graph.AddInitializer("w", Random(48, 96))], "y"),
            "Gemm" => graph.Add(
                "Gemm", [graph.Add("Flatten", [x], "flat"), graph.AddInitializer("w", Random(32 * 48 * 48, 10))], "y"),
            "ReduceSum" => graph.Add("ReduceSum", [x, graph.AddInitializer("axes", Tensor.Of([0L, 2, 3]))], "y"),
            "Softmax" => graph.Add("Softmax", [x], "y"),
            "LayerNormalization" => graph.Add(
                "LayerNormalization", [x, graph.AddInitializer("scale", Random(48, 48))], "y", [NodeAttribute.Int("axis", 2)]),
            _ => graph.Add(
                "ScatterElements",
                [x, graph.AddInitializer("at", Tensor.Of(new long[6 * 32 * 48 * 48], 6, 32, 48, 48)), x],
                "y",
                [NodeAttribute.Int("axis", 2), NodeAttribute.String("reduction", "add")]),
        };
        var model = With(graph, y);
        model.Graph.Outputs[0].Type = new TensorType(DataType.Float);
        byte[][] bits = [.. new[] { 1, 2, 2 }.Select(threads => Bits(model, threads))];
        Assert.Equal(bits[0], bits[1]);
        Assert.Equal(bits[0], bits[2]);

        static Tensor Random(params long[] sizes)
        {
            using var buffer = new TensorBuffer(DataType.Float, sizes);
            Fill(buffer, 7);
            return buffer.ToTensor();
        }

        static byte[] Bits(Model model, int threads)
        {
            using var feed = new TensorBuffer(DataType.Float, 6, 32, 48, 48);
            Fill(feed, 3);
            using var open = Runtime.Open(model, new InferenceOptions { Threads = threads });
            var unbound = open.Run([new("x", feed.ToTensor())])[0];
            using var result = new TensorBuffer(DataType.Float, unbound.Sizes.AsSpan());
            using var session = Runtime.Bind(
                model, new Dictionary<string, TensorBuffer> { ["x"] = feed, ["y"] = result }, new InferenceOptions { Threads = threads });
            session.Run();

            // Not to the bit: sums in the runtime depend on how their input is aligned, and a tensor on the managed heap may lie anywhere. Buffers are always aligned alike.
            Assert.All(unbound.ToArray<float>().Zip(result.Span<float>().ToArray()), p => Assert.Equal(p.First, p.Second, 1e-3f + 1e-5f * Math.Abs(p.First)));
            return result.Span<byte>().ToArray();
        }
    }

    [Fact]
    public void A_buffer_is_aligned_zeroed_and_refuses_what_does_not_fit()
    {
        using var buffer = new TensorBuffer(DataType.Float, 3, 5);
        Assert.Equal(0, buffer.Address % TensorBuffer.Alignment);
        Assert.Equal(new float[15], buffer.Span<float>());
        Assert.Equal(60, buffer.Span<byte>().Length);
        Assert.Throws<ArgumentException>(() => buffer.Span<double>().Length);
        Assert.Throws<ArgumentException>(() => buffer.CopyFrom(Tensor.Of([1f, 2f])));
        Assert.Throws<ArgumentException>(() => new TensorBuffer(DataType.Int4, 2));
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.Address);
    }
}
