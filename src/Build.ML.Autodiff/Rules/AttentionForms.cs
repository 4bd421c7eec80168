using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Fused attention takes its unfused form in training, so that its parts are differentiated by their own rules; and rotary embeddings, which turn back.</summary>
[Gradients]
public sealed class AttentionForms : GradientTable
{
    /// <summary>Names the forms and rules.</summary>
    public AttentionForms()
    {
        Form("Attention", Standard);
        Form("Attention", Packed, Microsoft);
        Form("MultiHeadAttention", MultiHead, Microsoft);
        Form("GroupQueryAttention", GroupQuery, Microsoft);
        // A rotation (Su et al., RoFormer, 2021): its transpose rotates by the opposite angles. The tables of angles are constants.
        Rule("RotaryEmbedding", (n, g, op) => [Rotated(n, op, "", [g, n.Input(1), op.Neg(n.Input(2)), n.Has(3) ? n.Input(3) : null])]);
        Rule("RotaryEmbedding", (n, g, op) => [Rotated(n, op, Microsoft, [g, n.Input(1), n.Input(2), op.Neg(n.Input(3))])], Microsoft);
    }

    private static Value Rotated(Forward n, GraphOps op, string domain, Value?[] inputs) =>
        op.Node(domain, "RotaryEmbedding", inputs, null, [.. n.Node.Attributes.Select(a => new NodeAttribute(a.Name, a.Kind, a.Value))]);

    // ONNX, operator set 23.
    private static Value?[] Standard(Forward n, GraphOps op)
    {
        if (n.Output(3) is { IsUnused: false })
        {
            throw n.NotDifferentiable("where its scores (qk_matmul_output) are read");
        }

        var flat = n.X.Rank() == 3;
        Value Heads(Value x, string count) => flat ? UnfusedAttention.SplitHeads(op, x, n.Int(count, 0)) : x;
        var (q, k, v) = (Heads(n.X, "q_num_heads"), Heads(n.Input(1), "kv_num_heads"), Heads(n.Input(2), "kv_num_heads"));
        long past = 0;
        if (n.Has(4))
        {
            past = n.Input(4).Size(2);
            (k, v) = (op.Concat(2, n.Input(4), k), op.Concat(2, n.Input(5), v));
        }

        var biases = new List<Value>();
        if (n.Has(3))
        {
            biases.Add(n.Input(3).ElementType == DataType.Bool ? UnfusedAttention.OfBooleans(op, n.Input(3)) : n.Input(3));
        }

        if (n.Int("is_causal", 0) != 0)
        {
            biases.Add(UnfusedAttention.Causal(op, q.Size(2), k.Size(2), past));
        }

        var y = UnfusedAttention.Attend(op, q, k, v, n.Float("scale", 0), n.Float("softcap", 0), biases);
        return [flat ? UnfusedAttention.MergeHeads(op, y) : y, k, v];
    }

    // Input [B, S, in] times weights [in, 3·hidden] is queries, keys and values beside each other.
    private static Value?[] Packed(Forward n, GraphOps op)
    {
        if (n.Has(4) || n.Int("do_rotary", 0) != 0)
        {
            throw n.NotDifferentiable(n.Has(4) ? "with past keys and values" : "with rotary embeddings inside");
        }

        var (x, weights, heads) = (n.X, n.Input(1), n.Int("num_heads", 1));
        var sizes = n.Ints("qkv_hidden_sizes") is { } known ? known.ToArray() : [weights.Size(1) / 3, weights.Size(1) / 3, weights.Size(1) / 3];
        var all = op.MatMul(x, weights);
        var parts = op.Split(n.Has(2) ? op.Add(all, n.Input(2)) : all, 2, sizes);
        return [MultiHead(n, op, parts[0], parts[1], parts[2], heads, 3, 5)];
    }

    private static Value?[] MultiHead(Forward n, GraphOps op)
    {
        if (n.Has(6) || n.Has(8) || n.Has(9))
        {
            throw n.NotDifferentiable("with past keys and values");
        }

        var heads = n.Int("num_heads", 1);
        Value q = n.X, k, v;
        if (q.Rank() == 5)
        {
            var parts = op.Split(q, 3, 1, 1, 1);
            (q, k, v) = (Joined(parts[0]), Joined(parts[1]), Joined(parts[2]));
        }
        else if (n.Has(1) && n.Input(1).Rank() == 5)
        {
            var parts = op.Split(n.Input(1), 3, 1, 1);
            (k, v) = (Joined(parts[0]), Joined(parts[1]));
        }
        else
        {
            (k, v) = (n.Input(1), n.Input(2));
        }

        if (n.Has(3))
        {
            long ofKeys = k.Rank() == 3 ? k.Size(2) : q.Size(2), ofValues = n.Input(3).Size(0) - q.Size(2) - ofKeys;
            var biases = op.Split(n.Input(3), 0, q.Size(2), ofKeys, ofValues);
            q = op.Add(q, biases[0]);
            (k, v) = k.Rank() == 3 ? (op.Add(k, biases[1]), op.Add(v, biases[2])) : (k, v);
        }

        return [MultiHead(n, op, q, k, v, heads, 4, 5)];

        // [B, S, H, 1, D]
        Value Joined(Value part) => op.Reshape(part, part.Size(0), part.Size(1), part.Size(2) * part.Size(4));
    }

    private static Value MultiHead(Forward n, GraphOps op, Value q, Value k, Value v, long heads, int mask, int bias)
    {
        for (var i = 1; i < n.Node.Outputs.Count; i++)
        {
            if (n.Output(i) is { IsUnused: false })
            {
                throw n.NotDifferentiable("where its present keys and values are read");
            }
        }

        Value Heads(Value x) => x.Rank() == 4 ? x : UnfusedAttention.SplitHeads(op, x, heads);
        var (queries, keys, values) = (Heads(q), Heads(k), Heads(v));
        var biases = new List<Value>();
        if (n.Has(mask))
        {
            // 1 for what is seen: [B, T] for all rows or [B, S, T].
            var sizes = n.Input(mask).Sizes();
            var seen = sizes.Length switch
            {
                2 => op.Reshape(n.Input(mask), sizes[0], 1, 1, sizes[1]),
                3 => op.Reshape(n.Input(mask), sizes[0], 1, sizes[1], sizes[2]),
                _ => throw n.NotDifferentiable($"with a mask of {sizes.Length} dimensions"),
            };
            biases.Add(op.Mul(op.Sub(1, op.Cast(seen, DataType.Float)), n.Float("mask_filter_value", -10000)));
        }

        if (n.Has(bias))
        {
            biases.Add(n.Input(bias));
        }

        if (n.Int("unidirectional", 0) != 0)
        {
            biases.Add(UnfusedAttention.Causal(op, queries.Size(2), keys.Size(2), keys.Size(2) - queries.Size(2)));
        }

        return UnfusedAttention.MergeHeads(op, UnfusedAttention.Attend(op, queries, keys, values, n.Float("scale", 0), 0, biases));
    }

    // Causal; without past keys, as a prompt. What seqlens_k leaves out is behind the rows that matter.
    private static Value?[] GroupQuery(Forward n, GraphOps op)
    {
        if ((n.Has(3) && n.Input(3).Count() > 0) || n.Int("smooth_softmax", 0) == 1 || n.Has(11))
        {
            throw n.NotDifferentiable(n.Has(3) && n.Input(3).Count() > 0 ? "with past keys and values" : "with a smooth softmax");
        }

        var (heads, groups) = (n.Int("num_heads", 1), n.Int("kv_num_heads", 1));
        var (q, k, v) = (n.X, n.Has(1) ? n.Input(1) : null, n.Has(2) ? n.Input(2) : null);
        if (k is null || v is null)
        {
            var head = q.Size(2) / (heads + (2 * groups));
            var parts = op.Split(q, 2, heads * head, groups * head, groups * head);
            (q, k, v) = (parts[0], parts[1], parts[2]);
        }

        (q, k, v) = (UnfusedAttention.SplitHeads(op, q, heads), UnfusedAttention.SplitHeads(op, k, groups), UnfusedAttention.SplitHeads(op, v, groups));
        if (n.Int("do_rotary", 0) != 0)
        {
            var positions = n.Has(9) ? n.Input(9) : op.Integers(0);
            Value Turned(Value x) => op.Node(
                Microsoft, "RotaryEmbedding", [x, positions, n.Input(7), n.Input(8)], null, NodeAttribute.Int("interleaved", n.Int("rotary_interleaved", 0)),
                NodeAttribute.Int("rotary_embedding_dim", n.Input(7).Size(1) * 2), NodeAttribute.Int("num_heads", x.Size(1)));
            (q, k) = (Turned(q), Turned(k));
        }

        var biases = new List<Value> { UnfusedAttention.Causal(op, q.Size(2), k.Size(2), 0, Math.Max(0, n.Int("local_window_size", -1))) };
        if (n.Has(10))
        {
            biases.Add(n.Input(10));
        }

        return [UnfusedAttention.MergeHeads(op, UnfusedAttention.Attend(op, q, k, v, n.Float("scale", 0), n.Float("softcap", 0), biases)), k, v];
    }
}
