using System.Collections.Concurrent;
using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Calibration.Streaming;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Calibration.Tests.Streaming;

public sealed class StreamedExecutionTests : IDisposable
{
    readonly TemporaryFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<string, int> ModelsAndThreads() => new()
    {
        { "branching", 1 }, { "branching", 2 }, { "deep", 1 }, { "deep", 2 },
    };

    static (Model Model, DataSet Data) Make(string name) => name == "deep"
        ? (Models.Deep(6, 48), new NormalData(21, 48))
        : (Models.Branching(), new NormalData(21, 3, 12, 12));

    [Theory]
    [MemberData(nameof(ModelsAndThreads))]
    public void Every_value_is_that_of_a_whole_model_run(string name, int threads)
    {
        var (model, data) = Make(name);
        using (model)
        {
            var values = model.Graph.Nodes.SelectMany(n => n.Outputs).ToArray();
            var expected = Whole(model, data, values);
            var seen = new ConcurrentDictionary<Value, List<float[]>>();

            using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath, threads));
            run.AdvanceTo(null, values, (value, tensor) => seen.GetOrAdd(value, _ => []).Add(Floats(tensor)));

            foreach (var value in values)
                AssertClose(expected[value.Name], seen[value]);
        }
    }

    [Theory]
    [MemberData(nameof(ModelsAndThreads))]
    public void A_layers_input_is_held_when_the_run_stops_before_it(string name, int threads)
    {
        var (model, data) = Make(name);
        using (model)
        {
            var layers = model.Graph.Nodes.Where(n => n.OpType is "Conv" or "MatMul" or "Gemm").ToArray();
            var expected = Whole(model, data, [.. layers.Select(l => l.Inputs[0]!).Where(v => v.Producer is not null).Distinct()]);

            // The least piece: one node with a weight each.
            using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath, threads), 8, new StreamingLimits { PieceWeights = 1 });
            foreach (var layer in layers)
            {
                run.AdvanceTo(layer);
                var input = layer.Inputs[0]!;
                var actual = run.Activations(input).Select(Floats).ToList();
                AssertClose(input.Producer is null ? [.. data.Batches(8).Select(b => Floats(b.Inputs[0].Value))] : expected[input.Name], actual);
            }

            run.AdvanceTo(null);
            AssertClose(Whole(model, data, [])[model.Graph.Outputs[0].Name], [.. run.Activations(model.Graph.Outputs[0]).Select(Floats)]);
        }
    }

    [Fact]
    public void A_changed_weight_of_a_node_not_run_yet_changes_what_follows_only()
    {
        using var model = Models.Deep(4, 32);
        var data = new NormalData(9, 32);
        using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath));
        var third = model.Graph.Nodes.Where(n => n.OpType == "MatMul").ElementAt(2);

        run.AdvanceTo(third);
        var before = run.Activations(third.Inputs[0]!).Select(Floats).ToList();
        model.Graph.SetInitializer(model.Graph.Find("w2")!, Tensor.OfBytes(DataType.Float16, Numbers.Halves(77, 32 * 32, 0.2), 32, 32));
        run.AdvanceTo(null);

        // The whole run of the changed model: what comes before the change is as it was, what comes after is the changed model's.
        AssertClose(Whole(model, data, [third.Inputs[0]!])[third.Inputs[0]!.Name], before);
        AssertClose(Whole(model, data, [])["sum3"], [.. run.Activations(model.Graph.Outputs[0]).Select(Floats)]);
    }

    [Fact]
    public void A_node_replaced_before_it_is_run_is_run_as_its_replacement()
    {
        using var model = Models.Deep(3, 32);
        var data = new NormalData(9, 32);
        using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath));
        var second = model.Graph.Nodes.Where(n => n.OpType == "MatMul").ElementAt(1);

        run.AdvanceTo(second);
        var graph = model.Graph;
        var scaled = graph.Add("Mul", [second.Inputs[0], graph.AddInitializer("two", Tensor.Scalar(2f))], "scaled", before: second);
        var product = graph.Add("MatMul", [scaled, second.Inputs[1]], "replaced", before: second);
        graph.Replace(second.Outputs[0], product);
        graph.Remove(second);
        run.AdvanceTo(null);

        AssertClose(Whole(model, data, [])["sum2"], [.. run.Activations(model.Graph.Outputs[0]).Select(Floats)]);
    }

    [Fact]
    public void Activations_beyond_the_budget_go_to_files_that_are_gone_when_nobody_needs_them()
    {
        using var model = Models.Deep(5, 64);
        var data = new NormalData(64, 64);
        var expected = Whole(model, data, [])["sum4"];
        var layers = model.Graph.Nodes.Where(n => n.OpType == "MatMul").ToArray();

        using (var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath), 8, new StreamingLimits { Memory = 3000 }))
        {
            foreach (var layer in layers)
            {
                run.AdvanceTo(layer);
                Assert.True(run.ActivationBytes <= 3000);
                // Held here: the residual sum and the normalized input, at most one file each.
                Assert.InRange(OpenScratchFiles(), 1, 2);
            }

            run.AdvanceTo(null);
            Assert.True(run.SpilledBytes > 5 * 64 * 64 * sizeof(float));
            AssertClose(expected, [.. run.Activations(model.Graph.Outputs[0]).Select(Floats)]);
        }

        Assert.Equal(0, OpenScratchFiles());

        // Where files without a name are possible, they are seen among what this process has open.
        int OpenScratchFiles() => OperatingSystem.IsLinux()
            ? Directory.GetFiles("/proc/self/fd").Count(f => new FileInfo(f).LinkTarget?.StartsWith(_scratch.FullPath, StringComparison.Ordinal) == true)
            : Directory.GetFiles(_scratch.FullPath).Length;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Watched_values_that_are_too_much_at_once_are_returned_by_shorter_pieces(int threads)
    {
        using var model = Models.Deep(9, 48);
        var data = new NormalData(21, 48);
        var values = model.Graph.Nodes.SelectMany(n => n.Outputs).Where(v => !v.Name.StartsWith("weight", StringComparison.Ordinal)).ToArray();
        var expected = Whole(model, data, values);
        var seen = new ConcurrentDictionary<Value, List<float[]>>();
        var inference = new LargestReturn();

        // Four activations of a batch: [8, 48] floats each.
        var limits = new StreamingLimits { Returned = 4 * 8 * 48 * sizeof(float) };
        using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath, threads) with { Inference = inference }, 8, limits);
        run.AdvanceTo(null, values, (value, tensor) => seen.GetOrAdd(value, _ => []).Add(Floats(tensor)));

        Assert.Equal(values.Length, seen.Count);
        foreach (var value in values)
            AssertClose(expected[value.Name], seen[value]);
        // The last piece is as short as the one before it became: the first tries return more, and are thrown away.
        Assert.True(inference.Last <= limits.Returned);
    }

    sealed class LargestReturn : IInference
    {
        readonly OnnxRuntimeInference _inner = new();

        public long Last { get; private set; }

        public string Runtime => _inner.Runtime;

        public IInferenceSession Open(Model model, InferenceOptions? options = null) => new Session(this, _inner.Open(model, options));

        sealed class Session(LargestReturn owner, IInferenceSession inner) : IInferenceSession
        {
            public ImmutableArray<KeyValuePair<string, OnnxType>> Inputs => inner.Inputs;

            public ImmutableArray<string> Outputs => inner.Outputs;

            public ImmutableArray<Tensor> Run(ImmutableArray<KeyValuePair<string, Tensor>> feeds)
            {
                var outputs = inner.Run(feeds);
                owner.Last = outputs.Sum(o => o.ByteLength);
                return outputs;
            }

            public void Dispose() => inner.Dispose();
        }
    }

    [Fact]
    public void Memory_follows_a_piece_not_the_number_of_layers()
    {
        var (few, many) = (Held(4), Held(40));
        Assert.Equal(few, many);

        long Held(int layers)
        {
            using var model = Models.Deep(layers, 64);
            var data = new NormalData(32, 64);
            using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath), 8, new StreamingLimits { PieceWeights = 1 });
            long most = 0;
            foreach (var node in model.Graph.Nodes.Where(n => n.OpType is "MatMul" or "LayerNormalization").ToArray())
            {
                run.AdvanceTo(node);
                most = Math.Max(most, run.ActivationBytes);
            }

            return most;
        }
    }

    [Fact]
    public void What_follows_from_constants_is_recomputed_not_held()
    {
        using var model = Models.Deep(3, 32);
        var data = new NormalData(9, 32);
        using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath));
        var last = model.Graph.Nodes.Last(n => n.OpType == "MatMul");

        run.AdvanceTo(last);

        var error = Assert.Throws<ArgumentException>(() => run.Activations(last.Inputs[1]!).Count());
        Assert.Contains("weight2", error.Message, StringComparison.Ordinal);
        // Nine rows of the residual sum and of the norm; no weight (32·32) for each batch.
        Assert.Equal(2 * 9 * 32 * sizeof(float), run.ActivationBytes);
    }

    [Fact]
    public void A_value_that_no_node_to_run_reads_is_let_go_of()
    {
        using var model = Models.Branching();
        var data = new NormalData(5, 3, 12, 12);
        using var run = new StreamedExecution(model, data, Contexts.Of(data, _scratch.FullPath));

        run.AdvanceTo(model.Graph.Nodes.First(n => n.OpType == "ReduceMean"));

        // The If's branches still read the stem, the inner convolution and the sum; the input is read by none.
        Assert.Equal(5, run.Activations(model.Graph.Find("stem_relu")!).Sum(t => t.Sizes[0]));
        Assert.Throws<ArgumentException>(() => run.Activations(model.Graph.Inputs[0]));
        run.AdvanceTo(model.Graph.LastNode);
        Assert.Throws<ArgumentException>(() => run.Activations(model.Graph.Find("stem_relu")!));
    }

    [Fact]
    public void Data_that_does_not_fit_names_every_misfit()
    {
        using var model = Models.Deep(1, 32);
        var context = Contexts.Of(new NormalData(1, 32), _scratch.FullPath);

        Assert.Equal("BML5407", Codes(new NormalData(0, 32)));
        Assert.Equal("BML5430", Codes(new NormalData(3, 31)));
        Assert.Equal("BML5430 BML5430", Codes(new OtherInput()));

        string Codes(DataSet data) => string.Join(' ', Assert.Throws<DiagnosticException>(() =>
        {
            using var run = new StreamedExecution(model, data, context);
        }).Diagnostics.Select(d => d.Code));
    }

    sealed class OtherInput : DataSet
    {
        public override int Count => 1;

        public override Sample this[int index] => new([new("other", Numbers.Tensor(1, 1, 32))], Label.None);
    }

    static Dictionary<string, List<float[]>> Whole(Model model, DataSet data, IReadOnlyList<Value> values)
    {
        using var session = new OnnxRuntimeInference().Open(model, new InferenceOptions { ExtraOutputs = [.. values.Select(v => v.Name)] });
        var results = session.Outputs.ToDictionary(o => o, _ => new List<float[]>());
        foreach (var batch in data.Batches(8))
            foreach (var (tensor, i) in session.Run(batch.Inputs).Select((t, i) => (t, i)))
                results[session.Outputs[i]].Add(Floats(tensor));
        return results;
    }

    static float[] Floats(Tensor tensor) => tensor.Type == DataType.Bool ? Array.ConvertAll(tensor.ToArray<byte>(), b => (float)b) : tensor.ToArray<float>();

    // Fusions end at cuts, which may round differently: 1e-5 of the largest element is a few units in the last place.
    static void AssertClose(List<float[]> expected, List<float[]> actual)
    {
        Assert.Equal(expected.Select(e => e.Length), actual.Select(a => a.Length));
        foreach (var (e, a) in expected.Zip(actual))
        {
            var tolerance = 1e-5f * e.Max(MathF.Abs);
            for (var i = 0; i < e.Length; i++)
                Assert.InRange(a[i], e[i] - tolerance, e[i] + tolerance);
        }
    }
}
