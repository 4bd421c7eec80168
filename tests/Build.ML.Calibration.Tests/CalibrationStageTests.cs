using System.Collections.Concurrent;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Tests;

public sealed class CalibrationStageTests : IDisposable
{
    readonly TemporaryFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_histogram_counts_the_activations_of_all_samples()
    {
        using var model = Models.Branching();
        var data = new NormalData(13, 3, 12, 12);
        var seen = Observe(model, data, new HistogramStatistic(), ["x", "stem_relu", "y"]);

        Assert.Equal(13 * 3 * 12 * 12, seen["x"].Count);
        Assert.Equal(13 * 8 * 12 * 12, seen["stem_relu"].Count);
        Assert.Equal(13 * 8, seen["y"].Count);
        Assert.Equal(0, seen["stem_relu"].Minimum);
        var all = Enumerable.Range(0, 13).SelectMany(i => data[i].Inputs[0].Value.ToArray<float>()).ToArray();
        Assert.Equal(all.Max(), seen["x"].Maximum);
        Assert.Equal(all.Min(), seen["x"].Minimum);
    }

    [Fact]
    public void Results_have_the_same_bits_on_any_number_of_threads()
    {
        using var model = Models.Deep(5, 48);
        var data = new NormalData(45, 48);
        string[] values = [.. model.Graph.Nodes.Where(n => n.OpType is "MatMul" or "Tanh").Select(n => n.Outputs[0].Name)];
        var one = Observe(model, data, new ChannelStatistic(), values, threads: 1);
        foreach (var threads in new[] { 2, 3, 7 })
        {
            var several = Observe(model, data, new ChannelStatistic(), values, threads: threads);
            foreach (var value in values)
            {
                Assert.Equal(one[value].Mean, several[value].Mean);
                Assert.Equal(one[value].MeanSquare, several[value].MeanSquare);
            }
        }
    }

    [Fact]
    public void What_the_cache_has_is_not_computed_again()
    {
        using var model = Models.Deep(3, 16);
        var data = new NormalData(9, 16);
        var (cache, runs) = (new MemoryCache(), new CountingInference());

        var first = Observe(model, data, new ChannelStatistic(), ["norm0", "norm1"], cache, runs);
        Assert.Equal((2, 2), (cache.Entries.Count, cache.Added));
        var after = runs.Runs;
        Assert.True(after > 0);
        var second = Observe(model, data, new ChannelStatistic(), ["norm1", "norm0"], cache, runs);
        Assert.Equal(after, runs.Runs);
        Assert.Equal(first["norm0"].Mean, second["norm0"].Mean);

        // One more value: only that is collected.
        Observe(model, data, new ChannelStatistic(), ["norm0", "norm2"], cache, runs);
        Assert.True(runs.Runs > after);
        Assert.Equal(3, cache.Added);
    }

    [Fact]
    public async Task Two_steps_at_once_compute_it_once()
    {
        var data = new NormalData(9, 16);
        var cache = new MemoryCache();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            using var model = Models.Deep(3, 16);
            Observe(model, data, new ChannelStatistic(), ["norm0", "norm1"], cache);
        })));
        Assert.Equal((2, 2), (cache.Entries.Count, cache.Added));
    }

    [Fact]
    public void Another_model_data_set_or_statistic_is_computed_anew()
    {
        using var model = Models.Deep(2, 16);
        var data = new NormalData(9, 16);
        var cache = new MemoryCache();
        Observe(model, data, new ChannelStatistic(), ["norm1"], cache);
        Observe(model, data, new ChannelStatistic(1), ["norm1"], cache);
        Assert.Equal(2, cache.Entries.Count);
        Observe(model, data, new ChannelStatistic(), ["norm1"], cache, fingerprint: "other");
        Assert.Equal(3, cache.Entries.Count);
        var weights = model.Graph.Find("g0")!;
        var changed = weights.Initializer!.ToArray<float>();
        changed[7] += 0.5f;
        model.Graph.SetInitializer(weights, Tensor.Of(changed, 16));
        Observe(model, data, new ChannelStatistic(), ["norm1"], cache);
        Assert.Equal(4, cache.Entries.Count);
    }

    [Fact]
    public void Data_whose_content_is_not_known_is_not_kept()
    {
        using var model = Models.Deep(1, 16);
        var cache = new MemoryCache();
        Observe(model, new NormalData(3, 16), new ChannelStatistic(), ["norm0"], cache, fingerprint: null);
        Assert.Empty(cache.Entries);
    }

    [Fact]
    public void An_activation_that_is_not_finite_is_named_and_nothing_is_kept()
    {
        using var model = Models.Deep(3, 16);
        var graph = model.Graph;
        graph.SetInitializer(graph.Find("g1")!, Tensor.Of(Enumerable.Repeat(float.PositiveInfinity, 16).ToArray(), 16));
        var cache = new MemoryCache();

        var error = Assert.Throws<DiagnosticException>(() => Observe(model, new NormalData(9, 16), new ChannelStatistic(), ["norm0", "norm1", "norm2"], cache));

        Assert.Equal("BML5405", Assert.Single(error.Diagnostics).Code);
        Assert.Contains("'norm1'", error.Message, StringComparison.Ordinal);
        Assert.Empty(cache.Entries);
    }

    IReadOnlyDictionary<string, T> Observe<T>(
        Model model, DataSet data, ActivationStatistic<T> statistic, string[] values, IDerivedCache? cache = null, IInference? inference = null, int threads = 2, string? fingerprint = "data")
        where T : class
    {
        var context = Contexts.Of(data, _scratch.FullPath, threads) with { Cache = cache ?? NoDerivedCache.Instance, DataFingerprint = _ => fingerprint };
        return new CalibrationStage(inference is null ? context : context with { Inference = inference }).Observe(model, values, new DataReference("d"), statistic);
    }

    sealed class MemoryCache : IDerivedCache
    {
        public ConcurrentDictionary<string, byte[]> Entries { get; } = [];

        public int Added { get; private set; }

        public Stream? TryOpen(DerivedKey key) => Entries.TryGetValue(key.ToString(), out var bytes) ? new MemoryStream(bytes) : null;

        public void Add(DerivedKey key, Action<Stream> write)
        {
            using var stream = new MemoryStream();
            write(stream);
            Entries[key.ToString()] = stream.ToArray();
            Added++;
        }

        public IDisposable Hold(DerivedKey key)
        {
            var gate = _held.GetOrAdd(key.ToString(), _ => new SemaphoreSlim(1));
            gate.Wait();
            return new Release(gate);
        }

        readonly ConcurrentDictionary<string, SemaphoreSlim> _held = [];

        sealed class Release(SemaphoreSlim gate) : IDisposable
        {
            public void Dispose() => gate.Release();
        }
    }

    sealed class CountingInference : IInference
    {
        readonly OnnxRuntime.OnnxRuntimeInference _inner = new();

        public int Runs => _runs;

        int _runs;

        public string Runtime => _inner.Runtime;

        public IInferenceSession Open(Model model, InferenceOptions? options = null)
        {
            Interlocked.Increment(ref _runs);
            return _inner.Open(model, options);
        }
    }
}
