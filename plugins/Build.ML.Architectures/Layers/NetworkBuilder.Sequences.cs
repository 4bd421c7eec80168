using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Architectures.Layers;

/// <content>Layers of sequences float[batch, length, width].</content>
sealed partial class NetworkBuilder
{
    /// <summary>
    /// Added to scores of what must not be attended to: far below every score, and finite in every float type but float16.
    /// </summary>
    private const float Hidden = -1e9f;

    /// <summary>An input int64[batch, length].</summary>
    internal Value Tokens(string name, int length) => Input(name, DataType.Int64, length);

    /// <summary>A row of a table [rows, width] for each id.</summary>
    internal Value Embedding(Value ids, Value table, string name) => Node("Gather", name, [table, ids]);

    /// <summary>Rows 0 to <paramref name="length"/> − 1 of a table of positions: [length, width].</summary>
    internal Value Positions(string name, WeightFill fill, int positions, int length, int width) =>
        Node("Gather", name, [Weight(name + ".weight", fill, positions, width), Range(length)]);

    /// <summary>x · W + b on the last axis, W [in, out]: <c>MatMul</c> and <c>Add</c>.</summary>
    /// <param name="x">Its input.</param>
    /// <param name="name">Prefix of its weights.</param>
    /// <param name="inputs">Elements of the last axis.</param>
    /// <param name="outputs">Elements of the last axis of the result.</param>
    /// <param name="weight">Initial weight.</param>
    /// <param name="bias">Whether there is a bias, which begins as 0.</param>
    internal Value Dense(Value x, string name, int inputs, int outputs, WeightFill weight, bool bias = true)
    {
        var y = Node("MatMul", bias ? name + ".product" : name, [x, Weight(name + ".weight", weight, inputs, outputs)]);
        return bias ? Node("Add", name, [y, Weight(name + ".bias", Initial.Zeros, outputs)]) : y;
    }

    /// <summary>Layer normalization over the last axis (Ba, Kiros, Hinton 2016).</summary>
    internal Value LayerNorm(Value x, string name, int width, float epsilon) => Node(
        "LayerNormalization", name, [x, Weight(name + ".weight", Initial.Ones, width), Weight(name + ".bias", Initial.Zeros, width)],
        NodeAttribute.Int("axis", -1), NodeAttribute.Float("epsilon", epsilon));

    /// <summary>Root mean square normalization (Zhang, Sennrich 2019): x/√(mean x² + ε) · weight, over the last axis.</summary>
    internal Value RmsNorm(Value x, string name, int width, float epsilon)
    {
        var mean = Node("ReduceMean", name + ".mean", [Node("Mul", name + ".square", [x, x]), Integers(-1)], NodeAttribute.Int("keepdims", 1));
        var root = Node("Sqrt", name + ".root", [Node("Add", name + ".shifted", [mean, Scalar(epsilon)])]);
        return Node("Mul", name, [Node("Div", name + ".normal", [x, root]), Weight(name + ".weight", Initial.Ones, width)]);
    }

    /// <summary>[batch, length, heads · size] to [batch, heads, length, size].</summary>
    internal Value Heads(Value x, string name, int length, int heads, int size) =>
        Transpose(Reshape(x, name + ".split", 0, length, heads, size), name, 0, 2, 1, 3);

    /// <summary>
    /// Attention (Vaswani et al.: Attention is all you need, 2017): softmax(Q·Kᵀ/√size + mask)·V, the heads put side by side again.
    /// </summary>
    /// <param name="query">[batch, heads, length, size].</param>
    /// <param name="key">The same.</param>
    /// <param name="value">The same.</param>
    /// <param name="mask">Added to the scores [batch, heads, length, length]; 0 or far below.</param>
    /// <param name="name">Prefix of its nodes.</param>
    /// <param name="sizes">Of the three.</param>
    /// <param name="dropout">Probability with which training zeroes a share of attention.</param>
    /// <returns>[batch, length, heads · size].</returns>
    internal Value Attention(Value query, Value key, Value value, Value mask, string name, AttentionSizes sizes, double dropout)
    {
        var scaled = Node("Mul", name + ".query.scaled", [query, Scalar((float)(1 / Math.Sqrt(sizes.Size)))]);
        var scores = Node("MatMul", name + ".scores", [scaled, Transpose(key, name + ".key.turned", 0, 1, 3, 2)]);
        var shares = Node("Softmax", name + ".shares", [Node("Add", name + ".masked", [scores, mask])], NodeAttribute.Int("axis", -1));
        var mixed = Node("MatMul", name + ".mixed", [Dropout(shares, name + ".dropout", dropout), value]);
        return Reshape(Transpose(mixed, name + ".turned", 0, 2, 1, 3), name, 0, sizes.Length, sizes.Heads * sizes.Size);
    }

    /// <summary>The mask of a decoder: a position attends to itself and what is before it.</summary>
    internal Value CausalMask(int length)
    {
        var column = Reshape(Range(length), "mask.row", length, 1);
        var seen = Node("GreaterOrEqual", "mask.seen", [column, Range(length)]);
        return Node("Where", "mask", [seen, Scalar(0), Scalar(Hidden)]);
    }

    /// <summary>
    /// The mask of an encoder from <c>attention_mask</c> int64[batch, length]: 0 where it is 1, far below where it is 0; [batch, 1, 1,
    /// length].
    /// </summary>
    internal Value PaddingMask(Value attended)
    {
        var shares = Node("Cast", "mask.attended", [attended], NodeAttribute.Int("to", (long)DataType.Float));
        var rows = Node("Unsqueeze", "mask.rows", [shares, Integers(1, 2)]);
        return Node("Mul", "mask", [Node("Sub", "mask.left_out", [Scalar(1), rows]), Scalar(Hidden)]);
    }

    /// <summary>
    /// Scores of all tokens for each position by the table of embeddings itself: x · tableᵀ, [batch, length, vocabulary].
    /// </summary>
    internal Value TiedLogits(Value x, Value table, int length, int width, int vocabulary)
    {
        var rows = Reshape(x, "logits.positions", -1, width);
        return Reshape(Node("Gemm", "logits.scores", [rows, table], NodeAttribute.Int("transB", 1)), "logits", -1, length, vocabulary);
    }

    /// <summary>0, 1, … of int64.</summary>
    private Value Range(int length) => Constant($"range.{length}", () =>
    {
        var numbers = new long[length];
        for (var i = 0; i < length; i++)
        {
            numbers[i] = i;
        }

        return Tensor.Of(numbers, length);
    });
}

/// <summary>Sizes of attention.</summary>
/// <param name="Length">Positions.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Size">Elements of a head.</param>
readonly record struct AttentionSizes(int Length, int Heads, int Size);
