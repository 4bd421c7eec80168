using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Texts;

/// <summary>
/// BERT (Devlin et al.: Pre-training of deep bidirectional transformers, 2019) in its own sizes and those of DistilBERT (Sanh et al. 2019)
/// and TinyBERT (Jiao et al. 2020).
/// Further input <c>attention_mask</c> int64[batch, length], 1 for tokens and 0 for padding. Output <c>last_hidden_state</c> float[batch,
/// length, hidden], or with
/// <c>classes</c> <c>logits</c> float[batch, classes].
/// </summary>
[Architecture("bert")]
public sealed record BertEncoder : TextNetwork
{
    private const float Epsilon = 1e-12f;

    /// <summary>Whose sizes to take. Default <c>bert_base</c>.</summary>
    public BertShape Shape { get; init; } = BertShape.BertBase;

    /// <summary>Number of classes of a classifier on the first token. Default null: the states of all tokens are the output.</summary>
    [Range(1, 1_000_000)]
    public int? Classes { get; init; }

    /// <summary>Number of layers. Default null: the shape's.</summary>
    [Range(1, 1000)]
    public int? Layers { get; init; }

    /// <summary>Elements of a token's state. Default null: the shape's.</summary>
    [Range(1, 65536)]
    public int? Hidden { get; init; }

    /// <summary>Heads of attention, a divisor of <see cref="Hidden"/>. Default null: the shape's.</summary>
    [Range(1, 1024)]
    public int? Heads { get; init; }

    /// <summary>Elements within the feed-forward part. Default null: the shape's.</summary>
    [Range(1, 1 << 20)]
    public int? Intermediate { get; init; }

    /// <summary>Number of tokens that have an embedding. Default 30522.</summary>
    [Range(1, 10_000_000)]
    public int Vocabulary { get; init; } = 30522;

    /// <summary>Number of positions that have an embedding. Default 512.</summary>
    [Range(1, 1 << 20)]
    public int Positions { get; init; } = 512;

    /// <inheritdoc/>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6112 heads that do not divide the state; BML6113 more tokens than
    /// positions.</exception>
    public override Model Build(long seed)
    {
        var preset = Sizes(Shape);
        var (layers, hidden, heads, inner) = (Layers ?? preset.Layers, Hidden ?? preset.Hidden, Heads ?? preset.Heads, Intermediate ?? preset.Intermediate);
        CheckHeads(hidden, heads, "heads");
        CheckPositions(Positions);
        var net = new NetworkBuilder("bert", seed);
        var weight = Initial.TruncatedNormal(0.02);
        var ids = net.Tokens("input_ids", Length);
        var mask = net.PaddingMask(net.Tokens("attention_mask", Length));
        var x = Embedded();
        for (var i = 0; i < layers; i++)
        {
            x = Layer(x, $"encoder.layer.{i}");
        }

        return Classes is { } classes ? net.FinishClassifier(Classified(classes), classes)
            : net.Finish(net.Node("Identity", "last_hidden_state", [x]), Length, hidden);

        Value Embedded()
        {
            var words = net.Embedding(ids, net.Weight("embeddings.word_embeddings.weight", weight, Vocabulary, hidden), "embeddings.word_embeddings");
            var places = net.Positions("embeddings.position_embeddings", weight, Positions, Length, hidden);
            var sum = net.Node("Add", "embeddings.sum", [words, places]);
            if (preset.HasTypes)
            {
                // One segment: all tokens are of type 0.
                var types = net.Weight("embeddings.token_type_embeddings.weight", weight, 2, hidden);
                sum = net.Node("Add", "embeddings.typed", [sum, net.Node("Gather", "embeddings.token_type_embeddings", [types, net.Integers(0)])]);
            }

            return net.Dropout(net.LayerNorm(sum, "embeddings.LayerNorm", hidden, Epsilon), "embeddings.dropout", Dropout);
        }

        Value Layer(Value input, string name)
        {
            var sizes = new AttentionSizes(Length, heads, hidden / heads);
            var self = name + ".attention.self";
            var attended = net.Attention(
                Projected(input, self + ".query"), Projected(input, self + ".key"), Projected(input, self + ".value"), mask, self, sizes, Dropout);
            var y = Residual(input, attended, name + ".attention.output", hidden);
            var wide = net.Node("Gelu", name + ".intermediate.activation", [net.Dense(y, name + ".intermediate.dense", hidden, inner, weight)]);
            return Residual(y, wide, name + ".output", inner);
        }

        Value Projected(Value input, string name) =>
            net.Heads(net.Dense(input, name, hidden, hidden, weight), name + ".heads", Length, heads, hidden / heads);

        // Normalization behind the sum, as in the paper.
        Value Residual(Value input, Value change, string name, int inputs)
        {
            var y = net.Dropout(net.Dense(change, name + ".dense", inputs, hidden, weight), name + ".dropout", Dropout);
            return net.LayerNorm(net.Node("Add", name + ".sum", [y, input]), name + ".LayerNorm", hidden, Epsilon);
        }

        Value Classified(int classes)
        {
            var first = net.Node("Gather", "first_token", [x, net.Constant("zero", () => Graph.Tensors.Tensor.Scalar(0L))], NodeAttribute.Int("axis", 1));
            var (name, function) = preset.HasTypes ? ("pooler.dense", "Tanh") : ("pre_classifier", "Relu");
            var pooled = net.Node(function, name + ".activation", [net.Linear(first, name, hidden, hidden, weight, Initial.Zeros)]);
            return net.Linear(net.Dropout(pooled, "classifier.dropout", Dropout), "classifier", hidden, classes, weight, Initial.Zeros);
        }
    }

    private static (int Layers, int Hidden, int Heads, int Intermediate, bool HasTypes) Sizes(BertShape shape) => shape switch
    {
        BertShape.Distilbert => (6, 768, 12, 3072, false),
        BertShape.Tinybert4 => (4, 312, 12, 1200, true),
        BertShape.Tinybert6 => (6, 768, 12, 3072, true),
        BertShape.BertMini => (4, 256, 4, 1024, true),
        BertShape.BertTiny => (2, 128, 2, 512, true),
        _ => (12, 768, 12, 3072, true),
    };
}

/// <summary>Sizes of encoders: layers × state.</summary>
public enum BertShape
{
    /// <summary>12 × 768.</summary>
    BertBase,

    /// <summary>6 × 768, without types of tokens.</summary>
    Distilbert,

    /// <summary>4 × 312.</summary>
    Tinybert4,

    /// <summary>6 × 768.</summary>
    Tinybert6,

    /// <summary>4 × 256.</summary>
    BertMini,

    /// <summary>2 × 128.</summary>
    BertTiny,
}
