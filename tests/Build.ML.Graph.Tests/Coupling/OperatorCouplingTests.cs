using Build.ML.Graph.Coupling;

namespace Build.ML.Graph.Tests.Coupling;

/// <summary>Operators that conformance models lack: each axis that must be free is halved, runs, and changes nothing where nothing read what went.</summary>
public sealed class OperatorCouplingTests
{
    /// <summary>Sums of some ten products in another order, through a softmax.</summary>
    private const double Rounding = 1e-5;

    [Fact]
    public void Fused_multi_head_attention_loses_heads() => Check(
        "float[6,8] wq, float[6,8] wk, float[6,8] wv, float[24] bias, float[8,6] wo",
        "q = MatMul(x, wq)\nk = MatMul(x, wk)\nv = MatMul(x, wv)\na = com.microsoft.MultiHeadAttention<num_heads = 2>(q, k, v, bias)\ny = MatMul(a, wo)",
        (AxisKind.Heads, 2), (AxisKind.HeadSize, 4));

    [Fact]
    public void Fused_grouped_query_attention_loses_key_value_heads_and_query_heads() => Check(
        "float[6,32] wq, float[6,16] wk, float[6,16] wv, float[32,6] wo, int32[1] last = {4}, int32[] total = {5}",
        "q = MatMul(x, wq)\nk = MatMul(x, wk)\nv = MatMul(x, wv)\n"
        + "a, pk, pv = com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2>(q, k, v, , , last, total)\ny = MatMul(a, wo)",
        (AxisKind.Heads, 2), (AxisKind.QueryHeads, 2));

    [Fact]
    public void Packed_attention_loses_heads_of_queries_keys_and_values() => Check(
        "float[6,24] w, float[24] b, float[8,6] wo",
        "a = com.microsoft.Attention<num_heads = 2>(x, w, b)\ny = MatMul(a, wo)",
        (AxisKind.Heads, 2));

    [Fact]
    public void Attention_of_opset_23_loses_heads() => Check(
        "float[6,16] wq, float[6,8] wk, float[6,12] wv, float[24,6] wo",
        "q = MatMul(x, wq)\nk = MatMul(x, wk)\nv = MatMul(x, wv)\na = Attention<q_num_heads = 4, kv_num_heads = 2>(q, k, v)\ny = MatMul(a, wo)", 23,
        (AxisKind.Heads, 2), (AxisKind.QueryHeads, 2), (AxisKind.HeadSize, 6));

    [Fact]
    public void A_rotary_embedding_leaves_heads_free() => Check(
        "float[6,16] wq, float[16,6] wo, float[5,4] cos, float[5,4] sin, int64[1,5] positions = {0, 1, 2, 3, 4}",
        "q = MatMul(x, wq)\nr = com.microsoft.RotaryEmbedding<num_heads = 2>(q, positions, cos, sin)\ny = MatMul(r, wo)",
        (AxisKind.Neurons, 2));

    [Fact]
    public void Weights_behind_DequantizeLinear_lose_rows_and_scales() => Check(
        "float[6,8] w1, float[8] s, int8[8] z = {0, 0, 0, 0, 0, 0, 0, 0}, float[8,6] w2",
        "q = QuantizeLinear<axis = 1>(w1, s, z)\nd = DequantizeLinear<axis = 1>(q, s, z)\na = MatMul(x, d)\nr = Relu(a)\ny = MatMul(r, w2)",
        (AxisKind.Neurons, 8));

    [Fact]
    public void Products_with_a_transposed_weight_lose_columns() => Check(
        "float[8,6] w1, float[6,8] w2",
        "a = com.microsoft.FusedMatMul<transB = 1>(x, w1)\nr = Relu(a)\ny = com.microsoft.FusedMatMul<transB = 1>(r, w2)",
        (AxisKind.Neurons, 8));

    [Fact]
    public void A_target_joined_from_computed_and_constant_sizes_keeps_the_computed_ones() => Check(
        "float[6,8] w1, float[8,6] w2, int64[1] zero = {0}, int64[1] one = {1}, int64[2] split = {2, 4}, int64[1] joined = {8}",
        """
        a = MatMul(x, w1)
        shape = Shape(a)
        batch = Gather(shape, zero)
        length = Gather(shape, one)
        t1 = Concat<axis = 0>(batch, length, split)
        b = Reshape(a, t1)
        r = Relu(b)
        t2 = Concat<axis = 0>(batch, length, joined)
        c = Reshape(r, t2)
        y = MatMul(c, w2)
        """,
        (AxisKind.Neurons, 2), (AxisKind.Neurons, 4));

    private static void Check(string weights, string nodes, params (AxisKind Kind, int Size)[] free) => Check(weights, nodes, 17, free);

    private static void Check(string weights, string nodes, int opset, params (AxisKind Kind, int Size)[] free)
    {
        using var model = CouplingModels.Parse("(float[1,5,6] x) => (float[1,5,6] y)", weights, nodes, opset);
        var axes = ChannelCoupling.Analyze(model).Axes;

        Assert.Equal(free, axes.Where(a => a.Lock is null).Select(a => (a.Kind, a.Size)));
        var result = StructuralEdit.Check(model, StructuralEdit.Feeds(model), Rounding, each: true);
        Assert.Empty(result.Failures);
        Assert.Equal(free.Length, result.Compared);
    }
}
