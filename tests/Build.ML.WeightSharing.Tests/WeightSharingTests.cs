using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.WeightSharing.Bins;
using Build.ML.WeightSharing.Clustering;
using Build.ML.WeightSharing.Storage;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.WeightSharing.Tests;

public sealed class WeightSharingTests
{
    private static readonly string[] Weights = ["conv", "up", "plain", "turned", "embedding", "product"];

    public static TheoryData<int, CodebookGranularity> Forms()
    {
        var rows = new TheoryData<int, CodebookGranularity>();
        for (var bits = 1; bits <= 8; bits++)
            foreach (var granularity in Enum.GetValues<CodebookGranularity>())
                rows.Add(bits, granularity);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Codebook_and_indices_give_bit_for_bit_what_the_clustered_weights_give(int bits, CodebookGranularity granularity)
    {
        using var model = SharedNetworks.Everything();
        using var clustered = model.Clone();
        var result = new WeightClustering().Apply(model, new() { Bits = bits, Granularity = granularity }, SharedNetworks.Context);

        Assert.DoesNotContain(model.Validate(), d => d.Severity == Severity.Error);
        Assert.Contains(result.Layers, l => l.Outcome == "shared");
        foreach (var name in Weights)
        {
            if (model.Graph.Find(name + ".codebook")?.Initializer is { } codebook)
            {
                var value = clustered.Graph.Find(name)!;
                clustered.Graph.SetInitializer(value, Nearest(value.Initializer!, codebook, SharableWeight.Of(value.Uses[0].Node)!.ChannelAxis));
            }
        }

        Assert.Equal(SharedNetworks.Run(clustered), SharedNetworks.Run(model));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(8)]
    public void ONNX_Runtime_restores_the_weights_once_when_it_opens_the_model(int bits)
    {
        using var model = SharedNetworks.Everything();
        new WeightClustering().Apply(model, new() { Bits = bits }, SharedNetworks.Context);
        using var optimized = new OnnxRuntimeInference().Optimize(model)!;

        Assert.Equal(["embedding"], optimized.Graph.Nodes.Where(n => n.OpType == "Gather").Select(n => n.Inputs[0]!.Name));
        Assert.DoesNotContain(optimized.Graph.Nodes, n => n.OpType is "BitShift" or "BitwiseAnd" or "Cast");
    }

    [Theory]
    [InlineData(1, 1000, 125)]
    [InlineData(3, 1000, 375)]
    [InlineData(5, 1001, 630)]
    [InlineData(8, 1001, 1001)]
    public void Eight_indices_take_as_many_bytes_as_one_has_bits(int bits, int count, int bytes)
    {
        byte[] indices = [.. Enumerable.Range(0, count).Select(i => (byte)(i * 37 % (1 << bits)))];
        var packed = PackedIndices.Pack(indices, bits);

        Assert.Equal(bytes, packed.Length);
        for (var i = 0; i < count; i++)
            Assert.Equal(indices[i], Enumerable.Range(0, bits).Sum(b => (packed[((i * bits) + b) / 8] >> (((i * bits) + b) % 8) & 1) << b));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    public void A_pruned_weight_keeps_its_zeros_and_no_other_becomes_zero(int bits)
    {
        using var model = SharedNetworks.Everything(sparsity: 0.9f);
        using var before = model.Clone();
        new WeightClustering().Apply(model, new() { Bits = bits }, SharedNetworks.Context);
        using var restored = new OnnxRuntimeInference().Optimize(model)!;

        foreach (var name in Weights.Where(n => model.Graph.Find(n + ".codebook") is not null))
        {
            Assert.Equal(0, model.Graph.Find(name + ".codebook")!.Initializer!.ToArray<float>()[0]);
            Assert.True(model.Graph.Find(name + ".codebook")!.Initializer!.Count <= 1 << bits);
        }

        var product = restored.Graph.Nodes.Single(n => n.OpType == "MatMul").Inputs[1]!.Initializer!.ToArray<float>();
        Assert.Equal(before.Graph.Find("product")!.Initializer!.ToArray<float>().Select(w => w == 0), product.Select(w => w == 0));
    }

    [Fact]
    public void Bins_are_equally_wide_and_their_means_lose_no_more_than_their_centres()
    {
        using var model = SharedNetworks.Everything();
        using var centres = model.Clone();
        var weights = model.Graph.Find("plain")!.Initializer!.ToArray<float>();
        var means = new WeightBinning().Apply(model, new() { Include = ["plain"], Bits = 3 }, SharedNetworks.Context);
        var middles = new WeightBinning().Apply(centres, new() { Include = ["plain"], Bits = 3, Value = BinValue.Center }, SharedNetworks.Context);

        var (least, width) = (weights.Min(), (weights.Max() - weights.Min()) / 8);
        var bins = weights.GroupBy(w => Math.Min(7, (int)((w - least) / width))).OrderBy(g => g.Key).ToArray();
        var codebook = model.Graph.Find("plain.codebook")!.Initializer!.ToArray<float>();
        foreach (var bin in bins)
            Assert.Equal(bin.Average(w => (double)w), codebook[bin.Key], 1e-5);
        Assert.Equal(Enumerable.Range(0, 8).Select(i => least + ((i + 0.5f) * width)), centres.Graph.Find("plain.codebook")!.Initializer!.ToArray<float>(), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.True(Figure(means, "plain", "sqnr_db") > Figure(middles, "plain", "sqnr_db"));
    }

    [Fact]
    public void What_a_layer_lost_is_reported_as_it_is()
    {
        using var model = SharedNetworks.Everything();
        var weight = model.Graph.Find("turned")!.Initializer!;
        var result = new WeightClustering().Apply(model, new() { Include = ["turned"], Granularity = CodebookGranularity.Channel, Bits = 2 }, SharedNetworks.Context);
        var shared = Nearest(weight, model.Graph.Find("turned.codebook")!.Initializer!, 0).ToArray<float>();
        var weights = weight.ToArray<float>();

        Assert.Equal(10 * Math.Log10(weights.Sum(w => (double)w * w) / weights.Zip(shared).Sum(p => Math.Pow((double)p.First - p.Second, 2))), Figure(result, "turned", "sqnr_db"), 1e-6);
    }

    [Fact]
    public void Each_layer_gets_the_bits_of_the_first_entry_that_names_it()
    {
        using var model = SharedNetworks.Everything();
        var result = new WeightClustering().Apply(
            model, new() { Bits = 2, Exclude = ["embedding"], BitsOf = [new() { Layers = ["turned"], Bits = 6 }, new() { Layers = ["c", "g*"], Bits = 5 }] }, SharedNetworks.Context);

        Assert.Equal([("c", 5), ("u", 2), ("g1", 5), ("g2", 6), ("y", 2)], result.Layers.Where(l => l.Outcome == "shared").Select(l => (l.Layer, (int)l.Figures[0].Value)));
        Assert.Equal("excluded by 'embedding'", result.Layers.Single(l => l.Layer == "e").Reason);
    }

    [Fact]
    public void A_weight_that_would_not_get_smaller_is_left()
    {
        var graph = new OnnxGraph("small");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, 4)));
        using var model = Training.Tests.Training.Of(graph, graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(KMeansTests.Normal(16, 1), 4, 4))], "y"));
        var result = new WeightClustering().Apply(model, new(), SharedNetworks.Context);

        Assert.Equal("left", Assert.Single(result.Layers).Outcome);
        Assert.Equal(["MatMul"], model.Graph.Nodes.Select(n => n.OpType));
    }

    [Fact]
    public void A_weight_with_few_values_gets_only_the_bits_it_needs()
    {
        using var model = SharedNetworks.Everything();
        var value = model.Graph.Find("plain")!;
        float[] weights = [.. Enumerable.Range(0, 4005).Select(i => i % 5 * 0.25f)];
        model.Graph.SetInitializer(value, Tensor.Of(weights, 5, 801));
        using var before = model.Clone();
        var result = new WeightClustering().Apply(model, new() { Include = ["plain"], Bits = 8 }, SharedNetworks.Context);

        Assert.Equal(3, Figure(result, "plain", "bits"));
        Assert.Equal(SharedNetworks.Run(before), SharedNetworks.Run(model));
    }

    [Theory]
    [InlineData(CodebookGranularity.Tensor, true)]
    [InlineData(CodebookGranularity.Channel, true)]
    [InlineData(CodebookGranularity.Channel, false)]
    public void Weights_and_channels_of_zeros_alone_are_shared_too(CodebookGranularity granularity, bool keepZeros)
    {
        using var model = SharedNetworks.Everything();
        foreach (var (name, kept) in new[] { ("turned", 0), ("plain", 5 * 801), ("conv", 75) })
        {
            var value = model.Graph.Find(name)!;
            var weights = value.Initializer!.ToArray<float>();
            weights.AsSpan(Math.Min(kept, weights.Length / 2)).Clear();
            model.Graph.SetInitializer(value, Tensor.Of(Array.ConvertAll(weights, w => w == 0 ? 0 : MathF.CopySign(1, w)), value.Initializer.Sizes.AsSpan()));
        }

        using var before = model.Clone();
        new WeightClustering().Apply(model, new() { Granularity = granularity, KeepZeros = keepZeros, Bits = 2, Include = ["turned", "plain", "conv"] }, SharedNetworks.Context);

        Assert.Equal(SharedNetworks.Run(before), SharedNetworks.Run(model)); // −1, 0 and 1 are within four values
    }

    [Fact]
    public void Weights_that_are_not_finite_are_refused_by_name()
    {
        using var model = SharedNetworks.Everything();
        foreach (var name in new[] { "plain", "conv" })
        {
            var value = model.Graph.Find(name)!;
            var weights = value.Initializer!.ToArray<float>();
            weights[17] = name == "conv" ? float.NaN : float.PositiveInfinity;
            model.Graph.SetInitializer(value, Tensor.Of(weights, value.Initializer.Sizes.AsSpan()));
        }

        var errors = Assert.Throws<DiagnosticException>(() => new WeightClustering().Apply(model, new(), SharedNetworks.Context)).Diagnostics;
        Assert.Equal(["BML5403", "BML5403"], errors.Select(e => e.Code));
        Assert.Contains("'conv'", errors[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_operator_set_is_refused_but_for_indices_of_8_bits()
    {
        using var model = SharedNetworks.Everything();
        model.OperatorSets[""] = 17;
        using var other = model.Clone();

        Assert.Equal("BML5404", Assert.Single(Assert.Throws<DiagnosticException>(() => new WeightClustering().Apply(model, new(), SharedNetworks.Context)).Diagnostics).Code);
        new WeightClustering().Apply(other, new() { Bits = 8, Include = ["turned"] }, SharedNetworks.Context);
        SharedNetworks.Run(other);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    public void Bits_are_between_1_and_8(int bits)
    {
        var options = new WeightClustering.Options { Bits = bits };

        Assert.False(Validator.TryValidateObject(options, new(options), null, true));
    }

    [Fact]
    public void The_same_step_gives_the_same_bytes()
    {
        byte[] Bytes(int threads)
        {
            using var model = SharedNetworks.Everything();
            new WeightClustering().Apply(model, new() { Start = KMeansStart.PlusPlus }, SharedNetworks.Context with { Threads = threads });
            return model.ToBytes();
        }

        Assert.Equal(Bytes(1), Bytes(2));
    }

    private static double Figure(StepResult result, string weight, string name) =>
        result.Layers.Single(l => l.Outcome == "shared").Figures.Single(f => f.Key == name) is var figure && weight.Length > 0 ? figure.Value : 0;

    // The nearest value of the codebook, or of the channel's, found by trying all.
    private static Tensor Nearest(Tensor weight, Tensor codebook, int axis)
    {
        var (weights, values) = (weight.ToArray<float>(), codebook.ToArray<float>());
        var perRow = (int)codebook.Sizes[^1];
        var inner = weight.Sizes.Skip(axis + 1).Aggregate(1L, (a, b) => a * b);
        for (var i = 0; i < weights.Length; i++)
        {
            var row = codebook.Rank == 1 ? 0 : (int)(i / inner % weight.Sizes[axis]);
            weights[i] = values.Skip(row * perRow).Take(perRow).MinBy(v => Math.Abs((double)weights[i] - v));
        }

        return Tensor.Of(weights, weight.Sizes.AsSpan());
    }
}
