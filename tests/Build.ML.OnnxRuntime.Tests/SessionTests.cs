using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime.Tests;

public sealed class SessionTests
{
    static readonly OnnxRuntimeInference Runtime = new();

    public static TheoryData<DataType> ExchangedTypes => [.. Enum.GetValues<DataType>().Where(t => t.ClrType() is not null || t == DataType.BFloat16)];

    // y = Relu(x·w) with x float[n,2], w = [[1,-1],[2,1]].
    static Model ReluOfProduct()
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 2)));
        var w = graph.AddInitializer("w", Tensor.Of([1f, -1f, 2f, 1f], 2, 2));
        var product = graph.Add("MatMul", [x, w], "product");
        AddOutput(graph, graph.Add("Relu", [product], "y"), DataType.Float);
        return new Model(graph);
    }

    static void AddOutput(OnnxGraph graph, Value value, DataType type)
    {
        value.Type = new TensorType(type);
        graph.AddOutput(value);
    }

    static Model Unary(string op, DataType type, params ReadOnlySpan<NodeAttribute> attributes)
    {
        var graph = new OnnxGraph("g");
        AddOutput(graph, graph.Add(op, [graph.AddInput("x", new TensorType(type, new Shape(Dimension.Unknown)))], "y", attributes), type);
        return new Model(graph);
    }

    static ImmutableArray<Tensor> Run(Model model, Tensor feed, InferenceOptions? options = null)
    {
        using var session = Runtime.Open(model, options);
        return session.Run([new("", feed)]);
    }

    [Fact]
    public void A_model_computes_its_closed_form_for_any_batch_size()
    {
        using var session = Runtime.Open(ReluOfProduct());
        Assert.Equal([3f, 0f], session.Run([new("x", Tensor.Of([1f, 1f], 1, 2))])[0].ToArray<float>());
        Assert.Equal([0f, 1f, 2f, 1f], session.Run([new("", Tensor.Of([-1f, 0f, 0f, 1f], 2, 2))])[0].ToArray<float>());
        Assert.Equal("x", Assert.Single(session.Inputs).Key);
        Assert.Equal("float[n,2]", session.Inputs[0].Value.ToString());
    }

    [Theory]
    [MemberData(nameof(ExchangedTypes))]
    public void Every_exchanged_type_keeps_its_bytes(DataType type)
    {
        var bytes = Enumerable.Range(0, (int)type.ByteLength(4)).Select(i => (byte)(type == DataType.Bool ? i & 1 : i + 1)).ToArray();
        var y = Run(Unary("Identity", type), Tensor.OfBytes(type, bytes, 4))[0];
        Assert.Equal(type, y.Type);
        Assert.Equal(bytes, y.ToArray<byte>());
    }

    [Fact]
    public void Strings_keep_their_characters() =>
        Assert.Equal(["a", "", "日本 é"], Run(Unary("Identity", DataType.String), new Tensor([3], ["a", "", "日本 é"]))[0].Strings.AsEnumerable());

    [Fact]
    public void A_tensor_without_elements_runs() => Assert.Equal([0L], Run(Unary("Neg", DataType.Float), Tensor.Of(Array.Empty<float>(), 0))[0].Sizes.AsEnumerable());

    [Fact]
    public void Types_that_cannot_be_exchanged_are_refused_all_at_once()
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Int4, Shape.Of(2)));
        AddOutput(graph, graph.Add("DequantizeLinear", [x, graph.AddInitializer("scale", Tensor.Scalar(1f))], "y"), DataType.Float);
        AddOutput(graph, graph.Add("Identity", [graph.AddInitializer("w", Tensor.OfBytes(DataType.UInt4, new byte[1], 2))], "v"), DataType.UInt4);
        var error = Assert.Throws<DiagnosticException>(() => Runtime.Open(new Model(graph)));
        Assert.Equal(["BML5104", "BML5104"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains("Input 'x' of graph 'g' is int4[2]", error.Message);
    }

    [Fact]
    public void Extra_outputs_follow_the_outputs_once_each_and_leave_the_model_alone()
    {
        using var model = ReluOfProduct();
        using var session = Runtime.Open(model, new InferenceOptions { ExtraOutputs = ["product", "y", "w"] });
        Assert.Equal(["y", "product", "w"], session.Outputs.AsEnumerable());
        var outputs = session.Run([new("", Tensor.Of([-1f, 0f], 1, 2))]);
        Assert.Equal([-1f, 1f], outputs[1].ToArray<float>());
        Assert.Equal([1f, -1f, 2f, 1f], outputs[2].ToArray<float>());
        Assert.Single(model.Graph.Outputs);
    }

    [Fact]
    public void Unknown_extra_outputs_are_all_named()
    {
        var error = Assert.Throws<DiagnosticException>(
            () => Runtime.Open(ReluOfProduct(), new InferenceOptions { ExtraOutputs = ["nope", "product", "neither"] }));
        Assert.Equal(["BML5103", "BML5103"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains("'nope'", error.Diagnostics[0].Message);
        Assert.Contains("'neither'", error.Diagnostics[1].Message);
    }

    [Fact]
    public void Feeds_that_do_not_fit_are_all_reported()
    {
        using var session = Runtime.Open(ReluOfProduct());
        var error = Assert.Throws<DiagnosticException>(() => session.Run([new("z", Tensor.Scalar(1f)), new("x", Tensor.Of([1.0, 2.0], 1, 2))]));
        Assert.Equal(["BML5105", "BML5105"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains("no input 'z'", error.Diagnostics[0].Message);
        Assert.Contains("takes float[n,2], the data has double[1,2]", error.Diagnostics[1].Message);
        Assert.Contains("is not fed", Assert.Throws<DiagnosticException>(() => session.Run([])).Message);
    }

    [Fact]
    public void A_failing_run_says_what_was_fed()
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(Dimension.Unknown)));
        AddOutput(graph, graph.Add("Reshape", [x, graph.AddInitializer("s", Tensor.Of([3L, 3L]))], "y"), DataType.Float);
        var error = Assert.Throws<DiagnosticException>(() => Run(new Model(graph), Tensor.Of(new float[8])));
        Assert.Equal("BML5106", error.Diagnostics[0].Code);
        Assert.Contains("'x' float[8]", error.Message);
    }

    [Fact]
    public void A_session_outlives_its_model_and_its_file()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("m.onnx");
        ReluOfProduct().Save(path);
        IInferenceSession session;
        using (var model = Model.Open(path))
            session = Runtime.Open(model);
        File.Delete(path);
        using (session)
            Assert.Equal([3f, 0f], session.Run([new("", Tensor.Of([1f, 1f], 1, 2))])[0].ToArray<float>());
    }

    [Fact]
    public void A_model_too_large_for_memory_goes_through_files_that_are_deleted()
    {
        using var folder = new TemporaryFolder();
        const int n = 8400; // n² floats are a little over 256 MiB
        var weights = new float[n * n];
        for (var i = 0; i < n; i++)
            weights[(i * n) + i] = i;
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, n)));
        AddOutput(graph, graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(weights, n, n))], "y"), DataType.Float);
        var feed = new float[n];
        feed.AsSpan().Fill(2);
        using (var session = Runtime.Open(new Model(graph), new InferenceOptions { ScratchDirectory = folder.FullPath }))
        {
            Assert.NotEmpty(Directory.GetFileSystemEntries(folder.FullPath));
            var y = session.Run([new("", Tensor.Of(feed, 1, n))])[0].ToArray<float>();
            Assert.Equal(Enumerable.Range(0, n).Select(i => 2f * i), y);
        }

        Assert.Empty(Directory.GetFileSystemEntries(folder.FullPath));
    }

    [Fact]
    public void Runs_repeat_bit_for_bit_with_any_number_of_threads()
    {
        var random = new Random(7);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(37, 300)));
        var hidden = graph.Add("Relu", [graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(Values(300 * 200), 300, 200))], "a")], "b");
        AddOutput(graph, graph.Add("Softmax", [hidden], "y"), DataType.Float);
        var feed = Tensor.Of(Values(37 * 300), 37, 300);
        var once = Run(new Model(graph), feed)[0].ToArray<byte>();
        Assert.Equal(once, Run(new Model(graph), feed)[0].ToArray<byte>());
        Assert.Equal(once, Run(new Model(graph), feed, new InferenceOptions { Threads = 2 })[0].ToArray<byte>());
    }

    [Fact]
    public void A_profile_names_the_kernels_that_ran()
    {
        using var folder = new TemporaryFolder();
        ImmutableArray<KeyValuePair<string, Tensor>> feed = [new("", Tensor.Of([1f, 1f], 1, 2))];
        var profile = new OnnxRuntimeInference(folder.FullPath).Profile(ReluOfProduct(), [feed, feed], new InferenceOptions { Optimize = false });
        Assert.Equal(["MatMul", "Relu"], profile.Nodes.Select(n => n.OpType));
        Assert.All(profile.Nodes, n => Assert.InRange(n.Seconds, 0, 1));
        Assert.Empty(Directory.GetFileSystemEntries(folder.FullPath));
    }

    [Fact]
    public void A_refused_model_keeps_the_runtimes_words()
    {
        var error = Assert.Throws<DiagnosticException>(() => Runtime.Open(Unary("NoSuchOperator", DataType.Float)));
        Assert.Equal("BML5101", error.Diagnostics[0].Code);
        Assert.Contains("NoSuchOperator", error.Message);
    }
}
