using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Architectures.Texts;

/// <summary>
/// Llama (Touvron et al. 2023): a decoder with rotary positions (Su et al. 2021), root mean square normalization, a gated feed-forward part
/// (Shazeer 2020) and heads that share
/// keys and values (Ainslie et al. 2023), all of plain operators. Output <c>logits</c> float[batch, length, vocabulary]. The default is of
/// SmolLM-135M's size.
/// </summary>
[Architecture("llama")]
public sealed record LlamaDecoder : TextNetwork
{
    /// <summary>Number of layers. Default 30.</summary>
    [Range(1, 1000)]
    public int Layers { get; init; } = 30;

    /// <summary>Elements of a token's state. Default 576.</summary>
    [Range(2, 65536)]
    public int Hidden { get; init; } = 576;

    /// <summary>Heads of attention, a divisor of <see cref="Hidden"/> into even parts. Default 9.</summary>
    [Range(1, 1024)]
    public int Heads { get; init; } = 9;

    /// <summary>Heads of keys and values, a divisor of <see cref="Heads"/>. Default 3.</summary>
    [Range(1, 1024)]
    public int KeyHeads { get; init; } = 3;

    /// <summary>Elements within the feed-forward part. Default 1536.</summary>
    [Range(1, 1 << 20)]
    public int Intermediate { get; init; } = 1536;

    /// <summary>Number of tokens. Default 49152.</summary>
    [Range(1, 10_000_000)]
    public int Vocabulary { get; init; } = 49152;

    /// <summary>Whether the table of embeddings scores the output too, instead of a matrix of its own. Default true.</summary>
    public bool Tied { get; init; } = true;

    /// <summary>Base of the angles of rotary positions. Default 10000.</summary>
    [Range(1d, 1e9)]
    public double RotaryBase { get; init; } = 10000;

    /// <summary>Added to mean squares before their root. Default 1e-5.</summary>
    [Range(1e-12, 1d)]
    public double Epsilon { get; init; } = 1e-5;

    /// <inheritdoc/>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6112 heads that do not divide what they share.</exception>
    public override Model Build(long seed)
    {
        CheckHeads(Hidden, Heads, "heads");
        CheckHeads(Heads, KeyHeads, "key_heads");
        var size = Hidden / Heads;
        CheckHeads(size, 2, "elements of a head");
        var net = new NetworkBuilder("llama", seed);
        var weight = Initial.Normal(0.02);
        var table = net.Weight("model.embed_tokens.weight", weight, Vocabulary, Hidden);
        var x = net.Embedding(net.Tokens("input_ids", Length), table, "model.embed_tokens");
        var mask = net.CausalMask(Length);
        var (cosines, sines) = (Table("rotary.cosines", Math.Cos), Table("rotary.sines", Math.Sin));
        for (var i = 0; i < Layers; i++)
        {
            var name = $"model.layers.{i}";
            x = Added(x, Attended(Normal(x, name + ".input_layernorm"), name + ".self_attn"), name + ".self_attn.sum");
            x = Added(x, Gated(Normal(x, name + ".post_attention_layernorm"), name + ".mlp"), name + ".mlp.sum");
        }

        x = Normal(x, "model.norm");
        return net.Finish(
            Tied ? net.TiedLogits(x, table, Length, Hidden, Vocabulary)
                : net.Node("Identity", "logits", [net.Dense(x, "lm_head", Hidden, Vocabulary, weight, bias: false)]),
            Length, Vocabulary);

        Value Normal(Value input, string name) => net.RmsNorm(input, name, Hidden, (float)Epsilon);

        Value Added(Value input, Value change, string name) => net.Node("Add", name, [input, net.Dropout(change, name + ".dropout", Dropout)]);

        Value Attended(Value input, string name)
        {
            var query = Rotated(Projected(input, name + ".q_proj", Heads), name + ".query");
            var key = Shared(Rotated(Projected(input, name + ".k_proj", KeyHeads), name + ".key"), name + ".key");
            var value = Shared(Projected(input, name + ".v_proj", KeyHeads), name + ".value");
            var mixed = net.Attention(query, key, value, mask, name, new(Length, Heads, size), Dropout);
            return net.Dense(mixed, name + ".o_proj", Hidden, Hidden, weight, bias: false);
        }

        Value Projected(Value input, string name, int heads) =>
            net.Heads(net.Dense(input, name, Hidden, heads * size, weight, bias: false), name + ".heads", Length, heads, size);

        // Each pair (i, i + size/2) is turned by an angle that grows with the position: (a·cos − b·sin, b·cos + a·sin).
        Value Rotated(Value input, string name)
        {
            var halves = net.Split(input, name + ".halves", 2);
            var first = net.Node("Sub", name + ".first", [Product(halves[0], cosines, ".first.cos"), Product(halves[1], sines, ".first.sin")]);
            var second = net.Node("Add", name + ".second", [Product(halves[1], cosines, ".second.cos"), Product(halves[0], sines, ".second.sin")]);
            return net.Node("Concat", name + ".rotated", [first, second], NodeAttribute.Int("axis", -1));

            Value Product(Value half, Value angles, string suffix) => net.Node("Mul", name + suffix, [half, angles]);
        }

        // Each head of keys or values serves several neighbouring heads of queries.
        Value Shared(Value input, string name)
        {
            if (KeyHeads == Heads)
            {
                return input;
            }

            var groups = net.Reshape(input, name + ".groups", 0, KeyHeads, 1, Length * size);
            var repeated = net.Node("Expand", name + ".repeated", [groups, net.Integers(1, 1, Heads / KeyHeads, 1)]);
            return net.Reshape(repeated, name + ".shared", 0, Heads, Length, size);
        }

        Value Gated(Value input, string name)
        {
            var gate = net.Dense(input, name + ".gate_proj", Hidden, Intermediate, weight, bias: false);
            var swish = net.Node("Mul", name + ".swish", [gate, net.Node("Sigmoid", name + ".sigmoid", [gate])]);
            var gated = net.Node("Mul", name + ".gated", [swish, net.Dense(input, name + ".up_proj", Hidden, Intermediate, weight, bias: false)]);
            return net.Dense(gated, name + ".down_proj", Intermediate, Hidden, weight, bias: false);
        }

        // [length, size/2]: angle = position · base^(−2i/size).
        Value Table(string name, Func<double, double> function) => net.Constant(name, () =>
        {
            var values = new float[Length * (size / 2)];
            for (var i = 0; i < values.Length; i++)
            {
                var (position, pair) = Math.DivRem(i, size / 2);
                values[i] = (float)function(position * Math.Pow(RotaryBase, -2.0 * pair / size));
            }

            return Tensor.Of(values, Length, size / 2);
        });
    }
}
