using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Coupling;

/// <summary>Which dimensions are one axis, and what a removal leaves: by hand, on small networks.</summary>
public sealed class CouplingTests
{
    private static string Layout(ChannelCoupling coupling, string value, int dimension) =>
        string.Join(' ', coupling.LayoutOf(coupling.Model.Graph.Find(value)!, dimension)!.Axes.Select(a => $"{a.Size} {a.Kind}"));

    private static string Sizes(Model model, string value) => model.Graph.Find(value)!.Shape!.ToString();

    [Fact]
    public void A_channel_goes_from_both_convolutions_and_the_normalization_between()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,5,5] x) => (float[1,3,5,5] y)", "float[4,2,3,3] w1, float[4] s, float[4] b, float[4] m, float[4] v, float[3,4,1,1] w2",
            "c = Conv<pads = [1,1,1,1]>(x, w1)\nn = BatchNormalization(c, s, b, m, v)\nr = Relu(n)\ny = Conv(r, w2)");
        var before = model.Graph.Find("w2")!.Constant!.ToArray<float>();

        CouplingModels.Remove(model, "r", 1, 1, 3);

        Assert.Equal("[2,2,3,3]", Sizes(model, "w1"));
        Assert.Equal("[2]", Sizes(model, "v"));
        Assert.Equal("[1,2,5,5]", Sizes(model, "r"));
        // Columns 0 and 2 of each of the three filters are left.
        Assert.Equal([before[0], before[2], before[4], before[6], before[8], before[10]], model.Graph.Find("w2")!.Constant!.ToArray<float>());
        CouplingModels.Run(model);
    }

    [Fact]
    public void A_residual_sum_makes_one_axis_of_all_that_it_joins()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,5,5] x) => (float[1,3,5,5] y)", "float[4,2,1,1] w1, float[6,4,1,1] w2, float[4,6,1,1] w3, float[3,4,1,1] w4",
            "a = Conv(x, w1)\nh = Conv(a, w2)\nb = Conv(h, w3)\ns = Add(a, b)\ny = Conv(s, w4)");
        var coupling = ChannelCoupling.Analyze(model);

        var stream = coupling.AxisOf(model.Graph.Find("s")!, 1)!;
        Assert.Same(stream, coupling.AxisOf(model.Graph.Find("w1")!, 0));
        Assert.Same(stream, coupling.AxisOf(model.Graph.Find("w2")!, 1));
        Assert.Equal(
            [("w1", 0, AxisRole.Output), ("w2", 1, AxisRole.Input), ("w3", 0, AxisRole.Output), ("w4", 1, AxisRole.Input)],
            stream.Places.Select(p => (p.Constant.Name, p.Dimension, p.Role)));
        Assert.NotSame(stream, coupling.AxisOf(model.Graph.Find("h")!, 1));
        Assert.Contains("is an output of the model", coupling.AxisOf(model.Graph.Find("w4")!, 0)!.Lock!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_concatenation_keeps_its_parts_apart_and_the_next_layer_loses_the_right_columns()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,5,5] x) => (float[1,1,5,5] y)", "float[2,2,1,1] w1, float[3,2,1,1] w2, float[1,5,1,1] w3",
            "a = Conv(x, w1)\nb = Conv(x, w2)\nc = Concat<axis = 1>(a, b)\ny = Conv(c, w3)");
        var before = model.Graph.Find("w3")!.Constant!.ToArray<float>();

        CouplingModels.Remove(model, "b", 1, 0);

        Assert.Equal([before[0], before[1], before[3], before[4]], model.Graph.Find("w3")!.Constant!.ToArray<float>());
        Assert.Equal("[2,2,1,1]", Sizes(model, "w1"));
    }

    [Fact]
    public void An_even_split_gets_sizes_once_its_parts_differ()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2] x) => (float[1,3] y)", "float[2,8] w1, float[4,3] w2, float[4,3] w3",
            "h = MatMul(x, w1)\na, b = Split<axis = 1>(h)\nc = MatMul(a, w2)\nd = MatMul(b, w3)\ny = Add(c, d)");

        CouplingModels.Remove(model, "b", 1, 0, 2, 3);

        Assert.Equal("[1,4]", Sizes(model, "a"));
        Assert.Equal("[1,1]", Sizes(model, "b"));
        Assert.Equal("[2,5]", Sizes(model, "w1"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void Depthwise_channels_are_one_axis_and_the_group_shrinks_with_them()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,5,5] x) => (float[1,2,3,3] y)", "float[6,2,1,1] w1, float[6,1,3,3] w2, float[2,6,1,1] w3",
            "a = Conv(x, w1)\nb = Conv<group = 6>(a, w2)\ny = Conv(b, w3)");

        CouplingModels.Remove(model, "b", 1, 5);

        Assert.Equal("[5,1,3,3]", Sizes(model, "w2"));
        Assert.Equal(5, model.Graph.Find("b")!.Producer!.Int("group", 0));
        CouplingModels.Run(model);
    }

    [Fact]
    public void Channels_of_a_grouped_convolution_are_groups_times_channels_of_each()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,5,5] x) => (float[1,2,5,5] y)", "float[6,2,1,1] w1, float[12,2,1,1] w2, float[2,12,1,1] w3",
            "a = Conv(x, w1)\nb = Conv<group = 3>(a, w2)\ny = Conv(b, w3)");
        var coupling = ChannelCoupling.Analyze(model);

        Assert.Equal("3 Channel 2 Channel", Layout(coupling, "a", 1));
        Assert.Equal("3 Channel 4 Channel", Layout(coupling, "b", 1));
        var (groups, each) = (coupling.LayoutOf(model.Graph.Find("a")!, 1)!.Axes[0], coupling.LayoutOf(model.Graph.Find("a")!, 1)!.Axes[1]);
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [groups] = [1], [each] = [0] });
        Assert.Equal("[2,2,1,1]", Sizes(model, "w1"));
        Assert.Equal("[8,1,1,1]", Sizes(model, "w2"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void Flattened_channels_take_their_pixels_along()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,2,2] x) => (float[1,3] y)", "float[4,2,1,1] w1, float[16,3] w2", "a = Conv(x, w1)\nf = Flatten(a)\ny = MatMul(f, w2)");
        var coupling = ChannelCoupling.Analyze(model);
        var place = coupling.AxisOf(model.Graph.Find("a")!, 1)!.Places.Single(p => p.Constant.Name == "w2");

        Assert.Equal([new PositionRun(8, 4)], place.Positions(2));
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3], place.ToAxisPositions());
        CouplingModels.Remove(model, "a", 1, 0, 1);
        Assert.Equal("[8,3]", Sizes(model, "w2"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void Attention_has_heads_and_a_size_of_each_and_shapes_are_edited()
    {
        using var model = Attention();
        var coupling = ChannelCoupling.Analyze(model);

        Assert.Equal("3 Heads 4 HeadSize", Layout(coupling, "q", 2));
        Assert.Equal(3, coupling.HeadsOf(model.Graph.Find("p")!.Producer!).Single().Size);
        var heads = coupling.LayoutOf(model.Graph.Find("q")!, 2)!.Axes[0];
        Assert.Equal([new PositionRun(4, 4)], heads.Places.First(p => p.Constant.Name == "wk").Positions(1));
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [heads] = [1] });
        Assert.Equal("[6,8]", Sizes(model, "wq"));
        Assert.Equal("[8,6]", Sizes(model, "wo"));
        Assert.Equal("[1,5,2,4]", Sizes(model, "q4"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void A_head_whose_output_nobody_reads_can_go_without_a_change()
    {
        using var model = Attention();
        var coupling = ChannelCoupling.Analyze(model);
        var heads = coupling.LayoutOf(model.Graph.Find("q")!, 2)!.Axes[0];
        var output = model.Graph.Find("wo")!;
        var weights = output.Constant!.ToArray<float>();
        weights.AsSpan(0, 4 * 6).Clear(); // rows of head 0
        model.Graph.SetInitializer(output, Tensor.Of(weights, 12, 6));
        var before = CouplingModels.Run(model)[0];

        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [heads] = [0] });

        // The same sums of up to 12 products in another order.
        Assert.Null(TensorComparison.Difference(before, CouplingModels.Run(model)[0], 1e-6));
    }

    [Fact]
    public void Query_heads_of_grouped_query_attention_are_key_value_heads_times_repeats()
    {
        using var model = CouplingModels.Parse(
            "(float[1,5,6] x) => (float[1,5,6] y)",
            "float[6,16] wq, float[6,8] wk, float[6,8] wv, float[16,6] wo, int64[4] sq = {0, 0, 4, 4}, int64[4] sk = {0, 0, 2, 4}, int64[1] two = {2}, "
            + "int64[5] se = {1, 2, 2, 5, 4}, int64[4] sr = {1, 4, 5, 4}, int64[3] so = {0, 0, 16}",
            """
            q = MatMul(x, wq)
            k = MatMul(x, wk)
            v = MatMul(x, wv)
            q4 = Reshape(q, sq)
            k4 = Reshape(k, sk)
            v4 = Reshape(v, sk)
            qt = Transpose<perm = [0, 2, 1, 3]>(q4)
            kh = Transpose<perm = [0, 2, 1, 3]>(k4)
            vh = Transpose<perm = [0, 2, 1, 3]>(v4)
            k5 = Unsqueeze(kh, two)
            v5 = Unsqueeze(vh, two)
            ke = Expand(k5, se)
            ve = Expand(v5, se)
            kr = Reshape(ke, sr)
            vr = Reshape(ve, sr)
            kt = Transpose<perm = [0, 1, 3, 2]>(kr)
            p = MatMul(qt, kt)
            s = Softmax(p)
            c = MatMul(s, vr)
            ct = Transpose<perm = [0, 2, 1, 3]>(c)
            o = Reshape(ct, so)
            y = MatMul(o, wo)
            """);
        var coupling = ChannelCoupling.Analyze(model);

        Assert.Equal("2 Heads 2 QueryHeads 4 HeadSize", Layout(coupling, "q", 2));
        Assert.Equal("2 Heads 4 HeadSize", Layout(coupling, "k", 2));
        var axes = coupling.LayoutOf(model.Graph.Find("q")!, 2)!.Axes;
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [axes[0]] = [0], [axes[1]] = [1] });
        Assert.Equal("[6,4]", Sizes(model, "wq"));
        Assert.Equal("[6,4]", Sizes(model, "wk"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void A_rotary_embedding_written_out_locks_the_head_size_and_leaves_the_heads_free()
    {
        using var model = CouplingModels.Parse(
            "(float[1,5,6] x) => (float[1,5,6] y)",
            "float[6,12] wq, float[12,6] wo, float[1,5,1,4] cos, float[1,5,1,4] sin, int64[4] sq = {0, 0, 3, 4}, int64[3] so = {0, 0, 12}, int64[1] zero = {0}, "
            + "int64[1] two = {2}, int64[1] end = {9223372036854775807}, int64[1] last = {3}",
            """
            q = MatMul(x, wq)
            q4 = Reshape(q, sq)
            a = Slice(q4, zero, two, last)
            b = Slice(q4, two, end, last)
            n = Neg(b)
            r = Concat<axis = -1>(n, a)
            qc = Mul(q4, cos)
            rs = Mul(r, sin)
            t = Add(qc, rs)
            o = Reshape(t, so)
            y = MatMul(o, wo)
            """);
        var coupling = ChannelCoupling.Analyze(model);
        var axes = coupling.LayoutOf(model.Graph.Find("q")!, 2)!.Axes;

        Assert.Null(axes[0].Lock);
        Assert.Equal(3, axes[0].Size);
        Assert.All(axes.Skip(1), a => Assert.Contains("rotary", a.Lock!.Reason, StringComparison.Ordinal));
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [axes[0]] = [2] });
        CouplingModels.Run(model);
    }

    [Fact]
    public void Gate_up_and_down_of_a_gated_MLP_share_their_neurons()
    {
        using var model = CouplingModels.Parse(
            "(float[1,5,6] x) => (float[1,5,6] y)", "float[6,10] gate, float[6,10] up, float[10,6] down",
            "g = MatMul(x, gate)\ns = Sigmoid(g)\na = Mul(g, s)\nu = MatMul(x, up)\nm = Mul(a, u)\nd = MatMul(m, down)\ny = Add(x, d)");
        var axis = ChannelCoupling.Analyze(model).Axes.Single(a => a.Lock is null);

        Assert.Equal((10, AxisKind.Neurons), (axis.Size, axis.Kind));
        Assert.Equal(["gate", "up", "down"], axis.Places.Select(p => p.Constant.Name));
    }

    [Fact]
    public void A_vector_that_two_layers_share_becomes_two_when_they_lose_different_positions()
    {
        using var model = CouplingModels.Parse(
            "(float[1,4] x) => (float[1,2] y)", "float[4,6] w1, float[6] zeros, float[6,6] w2, float[6,2] w3",
            "a = MatMul(x, w1)\nb = Add(a, zeros)\nr = Relu(b)\nc = MatMul(r, w2)\nd = Add(c, zeros)\ny = MatMul(d, w3)");

        CouplingModels.Remove(model, "b", 1, 0, 1);

        Assert.Equal("[4]", model.Graph.Find("b")!.Producer!.Inputs[1]!.Shape!.ToString());
        Assert.Equal("[6]", model.Graph.Find("d")!.Producer!.Inputs[1]!.Shape!.ToString());
        CouplingModels.Run(model);
    }

    [Fact]
    public void A_padded_shortcut_adds_axes_beside_the_one_it_pads()
    {
        using var model = CouplingModels.Parse(
            "(float[1,2,4,4] x) => (float[1,2,4,4] y)",
            "float[3,2,1,1] w1, float[8,3,1,1] w2, float[2,8,1,1] w3, int64[8] pads = {0, 2, 0, 0, 0, 3, 0, 0}",
            "a = Conv(x, w1)\nb = Conv(a, w2)\np = Pad(a, pads)\ns = Add(p, b)\ny = Conv(s, w3)");
        var coupling = ChannelCoupling.Analyze(model);

        Assert.Equal("2 Channel 3 Channel 3 Channel", Layout(coupling, "s", 1));
        var axes = coupling.LayoutOf(model.Graph.Find("s")!, 1)!.Axes;
        coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [axes[0]] = [1], [axes[1]] = [0], [axes[2]] = [0, 1] });
        Assert.Equal("[4,2,1,1]", Sizes(model, "w2"));
        CouplingModels.Run(model);
    }

    [Fact]
    public void All_that_stops_a_removal_is_said_at_once_and_nothing_is_changed()
    {
        using var model = CouplingModels.Parse(
            "(float[1,4] x) => (float[1,2] y)", "float[4,6] w1, float[6,2] w2", "a = MatMul(x, w1)\ny = MatMul(a, w2)");
        using var other = model.Clone();
        var coupling = ChannelCoupling.Analyze(model);
        var (hidden, output) = (coupling.AxisOf(model.Graph.Find("a")!, 1)!, coupling.AxisOf(model.Graph.Find("y")!, 1)!);
        var foreign = ChannelCoupling.Analyze(other).AxisOf(other.Graph.Find("a")!, 1)!;

        var error = Assert.Throws<DiagnosticException>(() => coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>>
        {
            [hidden] = [0, 1, 2, 3, 4, 5],
            [output] = [0],
            [foreign] = [0],
        }));

        Assert.Equal(["BML5602", "BML5601", "BML5604"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains("'y' is an output of the model", error.Diagnostics[1].Message, StringComparison.Ordinal);
        Assert.Equal("BML5603", Assert.Throws<DiagnosticException>(
            () => coupling.Remove(new Dictionary<ChannelAxis, IReadOnlyList<int>> { [hidden] = [6] })).Diagnostics.Single().Code);
        Assert.Equal("[4,6]", Sizes(model, "w1"));
    }

    [Fact]
    public void A_size_that_the_graph_computes_in_its_own_way_locks_the_axis_and_names_the_node()
    {
        // The head size as width / 3, computed at run time: right only while there are three heads.
        using var model = CouplingModels.Parse(
            "(float[1,5,6] x) => (float[1,5,6] y)",
            "float[6,12] wq, float[12,6] wo, int64[2] front = {1, 5}, int64[1] three = {3}, int64[1] last = {2}, int64[3] so = {1, 5, -1}",
            """
            q = MatMul(x, wq)
            shape = Shape(q)
            width = Gather(shape, last)
            head = Div(width, three)
            target = Concat<axis = 0>(front, three, head)
            q4 = Reshape(q, target)
            r = Relu(q4)
            o = Reshape(r, so)
            y = MatMul(o, wo)
            """);
        var axes = ChannelCoupling.Analyze(model).LayoutOf(model.Graph.Find("q")!, 2)!.Axes;

        Assert.Equal([3, 4], axes.Select(a => a.Size));
        Assert.NotNull(axes[0].Lock);
        Assert.Equal("Reshape", axes[0].Lock!.Node!.OpType);
        Assert.Null(axes[1].Lock);
    }

    [Fact]
    public void An_operator_without_a_rule_locks_what_it_reads_and_is_named()
    {
        using var model = CouplingModels.Parse(
            "(float[1,4] x) => (float[1,2] y)", "float[4,6] w1, float[6,2] w2", "a = MatMul(x, w1)\nb = Bernoulli(a)\ny = MatMul(b, w2)");
        var @lock = ChannelCoupling.Analyze(model).AxisOf(model.Graph.Find("a")!, 1)!.Lock!;

        Assert.Equal("Bernoulli", @lock.Node!.OpType);
        Assert.Contains("no coupling rule", @lock.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Slices_of_slices_read_the_first_tensor_once()
    {
        using var model = CouplingModels.Parse(
            "(float[1,4] x) => (float[1,2] y)", "float[4,6] w1, float[6,2] w2", "a = MatMul(x, w1)\ny = MatMul(a, w2)");
        var before = model.Graph.Find("w2")!.Constant!.ToArray<float>();

        CouplingModels.Remove(model, "a", 1, 0, 3); // leaves 1 2 4 5
        CouplingModels.Remove(model, "a", 1, 1); // leaves 1 4 5

        Assert.Equal([.. before[2..4], .. before[8..12]], model.Graph.Find("w2")!.Constant!.ToArray<float>());
        using var reloaded = Model.Load(model.ToBytes());
        Assert.Equal("[4,3]", Sizes(reloaded, "w1"));
    }

    private static Model Attention() => CouplingModels.Parse(
        "(float[1,5,6] x) => (float[1,5,6] y)",
        "float[6,12] wq, float[6,12] wk, float[6,12] wv, float[12,6] wo, int64[4] split = {0, 0, 3, 4}, int64[3] join = {1, 5, 12}",
        """
        q = MatMul(x, wq)
        k = MatMul(x, wk)
        v = MatMul(x, wv)
        q4 = Reshape(q, split)
        k4 = Reshape(k, split)
        v4 = Reshape(v, split)
        qt = Transpose<perm = [0, 2, 1, 3]>(q4)
        kt = Transpose<perm = [0, 2, 3, 1]>(k4)
        vt = Transpose<perm = [0, 2, 1, 3]>(v4)
        p = MatMul(qt, kt)
        s = Softmax(p)
        c = MatMul(s, vt)
        ct = Transpose<perm = [0, 2, 1, 3]>(c)
        o = Reshape(ct, join)
        y = MatMul(o, wo)
        """);
}
