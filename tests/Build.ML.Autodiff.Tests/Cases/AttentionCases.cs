using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Cases;

[GradientCases]
public sealed class AttentionCases : GradientCaseTable
{
    const string Microsoft = "com.microsoft";
    static readonly NodeAttribute[] Heads = [NodeAttribute.Int("q_num_heads", 4), NodeAttribute.Int("kv_num_heads", 2)];

    public AttentionCases()
    {
        Case("Attention", r => new([r.Normal(2, 2, 3, 4), r.Normal(2, 2, 5, 4), r.Normal(2, 2, 5, 3)]) { Opset = 23 }, "heads");
        Case("Attention", r => new([r.Normal(2, 3, 8), r.Normal(2, 3, 4), r.Normal(2, 3, 4)], [.. Heads, NodeAttribute.Int("is_causal", 1)]) { Opset = 23 }, "shared keys, causal");
        Case("Attention", r => new(
            [r.Normal(2, 3, 8), r.Normal(2, 3, 4), r.Normal(2, 3, 4), r.Normal(3, 3)], [.. Heads, NodeAttribute.Float("scale", 0.7f), NodeAttribute.Float("softcap", 2)])
        {
            Opset = 23,
        }, "mask added, softcap");
        Case("Attention", r => new([r.Normal(1, 2, 2, 4), r.Normal(1, 2, 3, 4), r.Normal(1, 2, 3, 4), Tensor.Of([true, false, true, true, true, false], 2, 3)]) { Opset = 23 }, "boolean mask");
        Case("Attention", r => new([r.Normal(1, 2, 2, 4), r.Normal(1, 2, 2, 4), r.Normal(1, 2, 2, 4), null, r.Normal(1, 2, 3, 4), r.Normal(1, 2, 3, 4)], NodeAttribute.Int("is_causal", 1))
        {
            Opset = 23,
            Outputs = 3,
        }, "past");

        var four = NodeAttribute.Int("num_heads", 2);
        Case("Attention", r => new([r.Normal(2, 3, 4), r.Normal(4, 24), r.Normal(24)], four), "packed", Microsoft);
        Case("Attention", r => new([r.Normal(2, 3, 4), r.Normal(4, 24), r.Normal(24), Seen(2, 3)], four, NodeAttribute.Int("unidirectional", 1)), "packed, mask, causal", Microsoft);
        Case("MultiHeadAttention", r => new([r.Normal(2, 3, 8), r.Normal(2, 5, 8), r.Normal(2, 5, 8)], four), "separate", Microsoft);
        Case("MultiHeadAttention", r => new([r.Normal(2, 3, 8), r.Normal(2, 5, 8), r.Normal(2, 5, 8), r.Normal(24), Seen(2, 5), r.Normal(1, 2, 3, 5)], four), "biases and mask", Microsoft);
        // ONNX Runtime runs these two on no CPU; their forms it does.
        Case("MultiHeadAttention", r => new([r.Normal(2, 3, 2, 3, 4)], four) { KeepsValues = false }, "packed", Microsoft);
        Case("MultiHeadAttention", r => new([r.Normal(2, 3, 8), r.Normal(2, 5, 2, 2, 4)], four) { KeepsValues = false }, "packed keys", Microsoft);

        NodeAttribute[] groups = [NodeAttribute.Int("num_heads", 4), NodeAttribute.Int("kv_num_heads", 2)];
        Tensor one = Tensor.Of([2], 1), total = Tensor.Of([3], 1);
        Case("GroupQueryAttention", r => new([r.Normal(1, 3, 64), r.Normal(1, 3, 32), r.Normal(1, 3, 32), null, null, one, total], groups) { Outputs = 3 }, "separate", Microsoft);
        Case("GroupQueryAttention", r => new(
            [r.Normal(1, 3, 128), null, null, null, null, one, total, r.Uniform(-1, 1, 8, 8), r.Uniform(-1, 1, 8, 8)],
            [.. groups, NodeAttribute.Int("do_rotary", 1), NodeAttribute.Int("local_window_size", 2)])
        {
            Outputs = 3,
            Checked = [0],
        }, "packed, rotary, window", Microsoft);

        foreach (var interleaved in new[] { 0, 1 })
        {
            var attribute = NodeAttribute.Int("interleaved", interleaved);
            Case("RotaryEmbedding", r => new([r.Normal(2, 3, 4, 6), r.Uniform(-1, 1, 2, 4, 3), r.Uniform(-1, 1, 2, 4, 3)], attribute) { Opset = 23, Checked = [0] }, $"{interleaved}");
            Case("RotaryEmbedding", r => new([r.Normal(2, 4, 16), r.Uniform(-1, 1, 9, 4), r.Uniform(-1, 1, 9, 4), r.Indices(9, 2, 4)], attribute, NodeAttribute.Int("num_heads", 2))
            {
                Opset = 23,
                Checked = [0],
            }, $"{interleaved}, positions");
            Case("RotaryEmbedding", r => new([r.Normal(2, 3, 4, 8), r.Indices(9, 2, 4), r.Uniform(-1, 1, 9, 4), r.Uniform(-1, 1, 9, 4)], attribute) { Checked = [0] }, $"{interleaved}", Microsoft);
        }
    }

    // The last position of the second row is not seen.
    static Tensor Seen(int batch, int length)
    {
        var seen = Enumerable.Repeat(1, batch * length).ToArray();
        seen[^1] = 0;
        return Tensor.Of(seen, batch, length);
    }
}
