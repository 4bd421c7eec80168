using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Texts;

/// <summary>
/// GPT-2 (Radford et al.: Language models are unsupervised multitask learners, 2019): a decoder that scores the next token at every
/// position, <c>logits</c>
/// float[batch, length, vocabulary], by the table of its embeddings. The small one has 124,439,808 parameters.
/// </summary>
[Architecture("gpt2")]
public sealed record Gpt2Decoder : TextNetwork
{
    private const float Epsilon = 1e-5f;

    /// <summary>Number of layers. Default 12; medium 24, large 36, xl 48.</summary>
    [Range(1, 1000)]
    public int Layers { get; init; } = 12;

    /// <summary>Elements of a token's state. Default 768; medium 1024, large 1280, xl 1600.</summary>
    [Range(1, 65536)]
    public int Hidden { get; init; } = 768;

    /// <summary>Heads of attention, a divisor of <see cref="Hidden"/>. Default 12; medium 16, large 20, xl 25.</summary>
    [Range(1, 1024)]
    public int Heads { get; init; } = 12;

    /// <summary>Number of tokens. Default 50257.</summary>
    [Range(1, 10_000_000)]
    public int Vocabulary { get; init; } = 50257;

    /// <summary>Number of positions that have an embedding. Default 1024.</summary>
    [Range(1, 1 << 20)]
    public int Positions { get; init; } = 1024;

    /// <inheritdoc/>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6112 heads that do not divide the state; BML6113 more tokens than
    /// positions.</exception>
    public override Model Build(long seed)
    {
        CheckHeads(Hidden, Heads, "heads");
        CheckPositions(Positions);
        var net = new NetworkBuilder("gpt2", seed);
        var weight = Initial.Normal(0.02);
        // What is added to the stream of states begins smaller by the root of the number of additions (section 2.3).
        var added = Initial.Normal(0.02 / Math.Sqrt(2 * Layers));
        var table = net.Weight("wte.weight", weight, Vocabulary, Hidden);
        var words = net.Embedding(net.Tokens("input_ids", Length), table, "wte");
        var x = net.Node("Add", "embeddings", [words, net.Positions("wpe", Initial.Normal(0.01), Positions, Length, Hidden)]);
        x = net.Dropout(x, "drop", Dropout);
        var mask = net.CausalMask(Length);
        for (var i = 0; i < Layers; i++)
        {
            var name = $"h.{i}";
            x = Residual(x, Attended(net.LayerNorm(x, name + ".ln_1", Hidden, Epsilon), name + ".attn"), name + ".attn", Hidden);
            x = Residual(x, Widened(net.LayerNorm(x, name + ".ln_2", Hidden, Epsilon), name + ".mlp"), name + ".mlp", 4 * Hidden);
        }

        return net.Finish(net.TiedLogits(net.LayerNorm(x, "ln_f", Hidden, Epsilon), table, Length, Hidden, Vocabulary), Length, Vocabulary);

        Value Attended(Value input, string name)
        {
            var parts = net.Split(net.Dense(input, name + ".c_attn", Hidden, 3 * Hidden, weight), name + ".split", 3);
            var size = Hidden / Heads;
            return net.Attention(
                net.Heads(parts[0], name + ".query", Length, Heads, size), net.Heads(parts[1], name + ".key", Length, Heads, size),
                net.Heads(parts[2], name + ".value", Length, Heads, size), mask, name, new(Length, Heads, size), Dropout);
        }

        Value Widened(Value input, string name) => net.Node(
            "Gelu", name + ".activation", [net.Dense(input, name + ".c_fc", Hidden, 4 * Hidden, weight)], NodeAttribute.String("approximate", "tanh"));

        Value Residual(Value input, Value change, string name, int inputs) => net.Node(
            "Add", name + ".sum", [input, net.Dropout(net.Dense(change, name + ".c_proj", inputs, Hidden, added), name + ".resid_dropout", Dropout)]);
    }
}
